/* SPDX-License-Identifier: Apache-2.0 */
/* What a template promises: one meaning, one id, one address, on every machine. */
#include "base/dice.h"
#include "base/hash.h"
#include "packet/decimal.h"
#include "packet/transform.h"

#include <kith/address.h>
#include <kith/template.h>

#include "test.h"

#include <math.h>

static const char bearing[] = "[template]\n"
                              "name = bearing\n"
                              "version = 1\n"
                              "about = hours a bearing lasts after the first alarm\n"
                              "measure = mean-difference\n"
                              "unit = 0.01\n"
                              "radius = 0.05\n"
                              "levels = 1,3\n"
                              "half-life = 30d\n"
                              "ttl = 730d\n"
                              "\n"
                              "[dimension load]\n"
                              "transform = linear 0 1\n"
                              "[dimension speed]\n"
                              "transform = log 10 10000\n"
                              "[dimension hour]\n"
                              "transform = cyclic 24\n";

/* The same in other clothes. */
static const char dressed[] = "# a bearing\r\n"
                              "[dimension load]\r\n"
                              "  transform=linear   0.0 1.00\r\n"
                              "[template]\r\n"
                              "ttl = 730d\n"
                              "levels = 1, 3\n"
                              "radius =5e-2\n"
                              "half-life =720h\n"
                              "about =  hours a bearing   lasts after the first alarm\n"
                              "unit = +.010\n"
                              "n-min = 1\n"
                              "version = 1\n"
                              "name = bearing\n"
                              "measure = mean-difference\n"
                              "[dimension speed]\n"
                              "\ttransform = log 1e1 10000.000\n"
                              "; and the clock\n"
                              "[dimension hour]\n"
                              "transform = cyclic 24";

static kith_template *parsed(const char *text) {
    kith_template *t = NULL;
    kith_error err = { 0 };
    if (kith_template_parse(&t, text, strlen(text), &err) < 0) printf("# %s\n", err.text);
    return t;
}

static void spacing_order_and_comments_do_not_change_the_id(void) {
    kith_template *a = parsed(bearing), *b = parsed(dressed);
    EXPECT(a != NULL && b != NULL);
    EXPECT(strcmp(kith_template_text(a), kith_template_text(b)) == 0);
    EXPECT(memcmp(kith_template_about(a)->id, kith_template_about(b)->id, 16) == 0);
    kith_template_free(&a);
    kith_template_free(&b);
}

/* Written down once: another machine, another byte order, the same id. */
static void the_id_is_the_same_on_every_machine(void) {
    kith_template *t = parsed(bearing);
    char digits[33];
    EXPECT(t != NULL);
    ki_hex(kith_template_about(t)->id, 16, digits);
    EXPECT(strcmp(digits, "c783e69da1b8b431f0f1f6c3b76a03ec") == 0);
    kith_template_free(&t);
}

static void the_canonical_text_is_its_own_canonical_text(void) {
    kith_template *a = parsed(bearing);
    EXPECT(a != NULL);
    kith_template *b = parsed(kith_template_text(a));
    EXPECT(b != NULL);
    EXPECT(strcmp(kith_template_text(a), kith_template_text(b)) == 0);
    EXPECT(strstr(kith_template_text(a), "n-min") == NULL); /* its preset */
    kith_template_free(&a);
    kith_template_free(&b);
}

static void any_change_of_meaning_changes_the_id(void) {
    static const char *const changes[][2] = { { "0.05", "0.06" },
        { "linear 0 1", "linear 0 2" }, { "version = 1", "version = 2" }, { "1,3", "1,2" },
        { "30d", "31d" }, { "cyclic 24", "cyclic 12" },
        { "dimension load", "dimension lord" }, { "unit = 0.01", "unit = 0.1" },
        { "mean-difference", "mean" } };
    kith_template *a = parsed(bearing);
    EXPECT(a != NULL);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char text[sizeof bearing + 8];
        const char *at = strstr(bearing, changes[i][0]);
        EXPECT(at != NULL);
        snprintf(text, sizeof text, "%.*s%s%s", (int) (at - bearing), bearing,
            changes[i][1], at + strlen(changes[i][0]));
        kith_template *b = parsed(text);
        EXPECT(b != NULL);
        EXPECT(memcmp(kith_template_about(a)->id, kith_template_about(b)->id, 16) != 0);
        kith_template_free(&b);
    }
    kith_template_free(&a);
}

static void what_makes_no_sense_is_refused_with_its_line(void) {
#define HEAD "[template]\nname = a\nversion = 1\nmeasure = mean\n"
    static const char *const bad[][2] = { { "", "needs name" },
        { "[template]\n", "needs name" }, { HEAD "name = b\n", "twice" },
        { HEAD "colour = red\n", "line 5" }, { HEAD "radius = 2\n", "radius" },
        { HEAD "radius = x\n", "no number" }, { HEAD "unit = 0\n", "unit" },
        { HEAD "[dimension]\n", "line 5" }, { HEAD "[dimension a]\n", "needs transform" },
        { HEAD "[dimension a]\ntransform = linear 1 0\n", "line 6" },
        { HEAD "[dimension a]\ntransform = linear 1\n", "line 6" },
        { HEAD "[dimension a]\ntransform = log 0 1\n", "line 6" },
        { HEAD "[dimension a]\ntransform = category x x\n", "line 6" },
        { HEAD "[dimension a]\ntransform = spline 0 1\n", "no transform" },
        { HEAD "[dimension a]\ntransform = linear 0 1\n[dimension a]\n", "twice" },
        { HEAD "radius = 0.4\n[dimension a]\ntransform = linear 0 1\n", "surely meet" },
        { HEAD "levels = 5\nradius = 0.1\n[dimension a]\ntransform = linear 0 1\n",
            "no published level" },
        { HEAD "levels = 3,1\nradius = 0.1\n[dimension a]\ntransform = linear 0 1\n",
            "rise" },
        { HEAD "effect-low = 1\neffect-high = 0\n", "below" }, { "name = a\n", "line 1" },
        { HEAD "about = \xc3\xa4\n", "ASCII" },
        { HEAD "window = 1500ms\n", "whole seconds" }, { HEAD "junk\n", "line 5" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kith_template *t = NULL;
        kith_error err = { 0 };
        int r = kith_template_parse(&t, bad[i][0], strlen(bad[i][0]), &err);
        if (r != KITH_E_FORMAT || strstr(err.text, bad[i][1]) == NULL) {
            printf("# case %zu: %d %s\n", i, r, err.text);
        }
        EXPECT_INT(r, KITH_E_FORMAT);
        EXPECT(t == NULL);
        EXPECT(strstr(err.text, bad[i][1]) != NULL);
    }
}

static void decimals_mean_one_double_and_have_one_text(void) {
    static const struct {
        const char *text, *canon;
        double value;
    } good[] = { { "0", "0", 0 }, { "-0.0", "0", 0 }, { "1", "1", 1 },
        { "100", "100", 100 }, { "0.1", "0.1", 0.1 }, { "-2.50", "-2.5", -2.5 },
        { "1e-3", "0.001", 1e-3 }, { "0.17999999999999999", "0.18", 0.18 },
        { "12345678901234567", "12345678901234600", 12345678901234600.0 },
        { ".5", "0.5", 0.5 }, { "5.", "5", 5 }, { "1e22", "10000000000000000000000", 1e22 },
        { "3e-30", "0", 0 }, { "1.5e-22", "0.0000000000000000000002", 2e-22 } };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ki_decimal d;
        char text[DECIMAL_TEXT];
        EXPECT(ki_decimal_parse(good[i].text, strlen(good[i].text), &d));
        ki_decimal_show(&d, text);
        if (strcmp(text, good[i].canon) != 0) printf("# %s -> %s\n", good[i].text, text);
        EXPECT(strcmp(text, good[i].canon) == 0);
        EXPECT(ki_decimal_value(&d) == good[i].value);
    }
    static const char *const bad[] = { "", "-", ".", "x", "1x", "1e", "1e+", "1e9999",
        "1,5", "0x1", "nan", "inf", "1e23", "--1", "1.2.3", " 1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ki_decimal d;
        EXPECT(!ki_decimal_parse(bad[i], strlen(bad[i]), &d));
    }
}

static bool maps(const char *transform, const char *value, long one, long two) {
    ki_transform *t = NULL;
    uint16_t got[2] = { 0, 0 };
    if (ki_transform_new(&t, transform, NULL) < 0) return false;
    int r = ki_transform_map(t, value, strlen(value), got, NULL);
    if (r == 0 && (got[0] != one || (two >= 0 && got[1] != two))) {
        printf("# %s of %s: %u %u\n", transform, value, got[0], got[1]);
        r = -99;
    }
    ki_transform_free(&t);
    return one < 0 ? r == KITH_E_ARG : r == 0;
}

static void values_become_the_same_numbers_everywhere(void) {
    EXPECT(maps("linear 0 1", "0.18", 11796, -1));
    EXPECT(maps("linear 0 1", "0", 0, -1));
    EXPECT(maps("linear 0 1", "1", 65535, -1));
    EXPECT(maps("linear -40 60", "10", 32768, -1));
    EXPECT(maps("linear 0 1", "1.01", -1, -1));
    EXPECT(maps("linear 0 1", "x", -1, -1));
    EXPECT(maps("log 1 65536", "256", 32768, -1));
    EXPECT(maps("log 1 65536", "2", 4096, -1));
    EXPECT(maps("log 10 10000", "10", 0, -1));
    EXPECT(maps("log 10 10000", "10000", 65535, -1));
    EXPECT(maps("log 10 10000", "0", -1, -1));
    EXPECT(maps("cyclic 24", "0", 0, 32768));
    EXPECT(maps("cyclic 24", "6", 32768, 65535));
    EXPECT(maps("cyclic 24", "24", 0, 32768));
    EXPECT(maps("cyclic 24", "-18", 32768, 65535));
    EXPECT(maps("category a b c d", "a", 8192, -1));
    EXPECT(maps("category a b c d", "d", 57344, -1));
    EXPECT(maps("category a b c d", "e", -1, -1));
    EXPECT(maps("table 0 1 10 100", "1", 21845, -1));
    EXPECT(maps("table 0 1 10 100", "55", 54613, -1));
}

/* Noon is as near to midnight by either way round, and every hour as near to the next. */
static void a_circle_has_no_seam(void) {
    ki_transform *t = NULL;
    uint16_t before[2], here[2];
    EXPECT_INT(ki_transform_new(&t, "cyclic 24", NULL), 0);
    EXPECT_INT(ki_transform_map(t, "23.75", 5, before, NULL), 0);
    for (int quarter = 0; quarter < 96; quarter++) {
        char text[16];
        snprintf(text, sizeof text, "%d.%02d", quarter / 4, 25 * (quarter % 4));
        EXPECT_INT(ki_transform_map(t, text, strlen(text), here, NULL), 0);
        int a = abs(here[0] - before[0]), b = abs(here[1] - before[1]),
            most = a > b ? a : b;
        EXPECT(most >= 1364 && most <= 1367); /* 2 * 65536 / 96 */
        memcpy(before, here, sizeof before);
    }
    ki_transform_free(&t);
}

/* The logarithm by squaring agrees with the library's to the bit we use. */
static void the_integer_logarithm_is_one(void) {
    ki_transform *t = NULL;
    uint64_t dice = 5;
    EXPECT_INT(ki_transform_new(&t, "log 0.001 1000", NULL), 0);
    for (int i = 0; i < 20000; i++) {
        double part = (double) dice_below(&dice, 1000001) / 1e6;
        char text[40];
        uint16_t u;
        snprintf(text, sizeof text, "%.12g", 0.001 * pow(1e6, part));
        double x = strtod(text, NULL), want = log(x / 0.001) / log(1e6) * 65536;
        if (ki_transform_map(t, text, strlen(text), &u, NULL) < 0) continue; /* an end */
        EXPECT(fabs(u + 0.5 - want) <= 0.501);
    }
    ki_transform_free(&t);
}

static void a_context_is_read_by_its_template(void) {
    kith_template *t = parsed(bearing);
    uint16_t context[KITH_CONTEXT_MAX];
    kith_error err = { 0 };
    EXPECT(t != NULL);
    EXPECT_INT(kith_template_about(t)->numbers, 4);
    EXPECT_INT(kith_template_context(t, "0.18, 316.227766,6", context, &err), 0);
    EXPECT_INT(context[0], 11796);
    EXPECT_INT(context[1], 32767);
    EXPECT_INT(context[2], 32768);
    EXPECT_INT(context[3], 65535);
    static const char *const bad[] = { "", "0.1", "0.1,100", "0.1,100,6,7", "0.1,100,6,",
        "2,100,6", "0.1,,6", "0.1,9,6" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT_INT(kith_template_context(t, bad[i], context, &err), KITH_E_ARG);
    }
    EXPECT(strstr(err.text, "speed") != NULL);
    kith_template_free(&t);
}

static kith_content leaf(const uint16_t *context, unsigned numbers) {
    kith_content c = { .type = KITH_LEAF, .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE };
    c.has |= numbers > 0 ? KITH_HAS_CONTEXT16 : 0;
    c.context16_count = (uint8_t) numbers;
    memcpy(c.context16, context, numbers * sizeof *context);
    c.measure = KITH_MEAN_DIFFERENCE;
    c.components = 1;
    c.n = 10;
    c.covariance[0] = 1;
    c.t_end_us = INT64_C(1750000000000000);
    memcpy(c.address.subject, "hvac.bearing", 13);
    return c;
}

/* Packets of near contexts stand where the other's reader looks, and only there. */
static void twins_meet_and_strangers_are_told_apart(void) {
    kith_template *t = parsed(bearing);
    kith_templates *set = NULL;
    uint64_t dice = 9;
    EXPECT(t != NULL);
    const kith_template *k = t;
    EXPECT_INT(kith_templates_new(&set), 0);
    uint32_t radius = kith_template_about(t)->radius;
    EXPECT_INT(kith_templates_add(set, &t), 0);
    for (int i = 0; i < 2000; i++) {
        uint16_t mine[4], theirs[4];
        for (int j = 0; j < 4; j++) {
            mine[j] = (uint16_t) dice_below(&dice, 65536);
            long x = mine[j] + (long) dice_below(&dice, 2 * radius + 1) - (long) radius;
            theirs[j] = (uint16_t) (x < 0 ? 0 : x > 65535 ? 65535 : x);
        }
        kith_content c = leaf(theirs, 4);
        memcpy(c.template_id, kith_template_about(k)->id, 16);
        kith_address posted[KITH_CELLS_MAX], followed[KITH_CELLS_MAX];
        EXPECT_INT(kith_template_cells(k, &c, posted), 5);
        EXPECT_INT(kith_template_follow(k, "hvac.bearing", mine, followed), 5);
        bool met = false;
        for (int a = 0; a < 5; a++) {
            EXPECT(kith_subject_valid(posted[a].subject));
            EXPECT(kith_cell_accepts(set, &c, posted[a].subject));
            for (int b = 0; b < 5; b++) {
                met = met || kith_subject_matches(followed[b].subject, posted[a].subject);
            }
        }
        EXPECT(met);
        EXPECT(kith_template_meet(k, mine, theirs));
        posted[0].subject[strlen(posted[0].subject) - 1] ^= 1;
        EXPECT(!kith_cell_accepts(set, &c, posted[0].subject));
        EXPECT(kith_cell_accepts(NULL, &c, posted[1].subject)); /* unknown: passed on */
        EXPECT(!kith_cell_accepts(NULL, &c, "other.subject.s0.001"));
        EXPECT(kith_template_distance(k, mine, theirs) <= radius);
    }
    kith_templates_free(&set);
}

static void ranges_are_judged_before_pooling(void) {
    kith_template *t =
        parsed("[template]\nname = a\nversion = 1\nmeasure = mean-difference\n"
               "unit = 0.1\neffect-low = -1\neffect-high = 2\nn-min = 5\n"
               "private = yes\nwindow = 1h\nradius = 0.1\n"
               "[dimension x]\ntransform = linear 0 1\n");
    const uint16_t at[2] = { 7, 7 };
    EXPECT(t != NULL);
    EXPECT_INT(kith_template_about(t)->n_min, 20);
    kith_content c = leaf(at, 1);
    c.n = 20;
    EXPECT(kith_template_fault(t, &c) == NULL);
    c.n = 19;
    EXPECT(strstr(kith_template_fault(t, &c), "fewer") != NULL);
    c.n = 20;
    c.effect[0] = 20.5;
    EXPECT(strstr(kith_template_fault(t, &c), "limits") != NULL);
    c.effect[0] = 20;
    EXPECT(kith_template_fault(t, &c) == NULL);
    c.measure = KITH_MEAN;
    EXPECT(strstr(kith_template_fault(t, &c), "measure") != NULL);
    c = leaf(at, 2);
    c.n = 20;
    EXPECT(strstr(kith_template_fault(t, &c), "context") != NULL);
    c = leaf(at, 1);
    c.n = 20;
    c.has |= KITH_HAS_TEXT;
    EXPECT(strstr(kith_template_fault(t, &c), "text") != NULL);
    c.has &= (uint16_t) ~KITH_HAS_TEXT;
    c.t_end_us = INT64_C(1750003200000000); /* an hour begins */
    c.span_s = 3600;
    EXPECT(strstr(kith_template_fault(t, &c), "window") != NULL);
    c.t_end_us += INT64_C(1800000000);
    c.span_s = 1800;
    EXPECT(kith_template_fault(t, &c) == NULL);
    c.t_end_us--; /* the data begin behind the instant before the hour */
    EXPECT(kith_template_fault(t, &c) == NULL);
    c.t_end_us--;
    EXPECT(strstr(kith_template_fault(t, &c), "window") != NULL);
    kith_template_free(&t);
}

static void a_set_keeps_one_meaning_for_a_name(void) {
    kith_templates *set = NULL;
    kith_template *a = parsed(bearing), *b = parsed(dressed);
    kith_template *c = parsed("[template]\nname = bearing\nversion = 1\nmeasure = mean\n");
    kith_template *d = parsed("[template]\nname = bearing\nversion = 2\nmeasure = mean\n");
    EXPECT_INT(kith_templates_new(&set), 0);
    EXPECT_INT(kith_templates_add(set, &a), 0);
    EXPECT_INT(kith_templates_add(set, &b), KITH_DUPLICATE);
    EXPECT_INT(kith_templates_add(set, &c), KITH_E_DENIED);
    EXPECT_INT(kith_templates_add(set, &d), 0);
    EXPECT(a == NULL && b == NULL && c == NULL && d == NULL);
    EXPECT(kith_templates_at(set, 1) != NULL && kith_templates_at(set, 2) == NULL);
    kith_templates_free(&set);
}

static void many_dimensions_go_by_hash_tables(void) {
    char text[2048];
    size_t used = (size_t) snprintf(text, sizeof text, "%s",
        "[template]\nname = wide\nversion = 1\nmeasure = mean\nradius = 0.1\n");
    for (int i = 0; i < 16; i++) {
        used += (size_t) snprintf(text + used, sizeof text - used,
            "[dimension x%d]\ntransform = linear 0 1\n", i);
    }
    kith_template *t = parsed(text);
    EXPECT(t != NULL);
    EXPECT_INT(kith_template_about(t)->route, KITH_ROUTE_LSH);
    EXPECT(kith_template_about(t)->euclid);
    uint16_t at[16];
    for (int i = 0; i < 16; i++) at[i] = (uint16_t) (4000 * i);
    kith_content c = leaf(at, 16);
    kith_address posted[KITH_CELLS_MAX], followed[KITH_CELLS_MAX];
    EXPECT_INT(kith_template_cells(t, &c, posted), 32);
    EXPECT_INT(kith_template_follow(t, "hvac.bearing", at, followed), 32);
    for (int i = 0; i < 32; i++) {
        EXPECT(strcmp(posted[i].subject, followed[i].subject) == 0);
        EXPECT_INT(kith_cell_base(posted[i].subject), 12);
    }
    kith_template_free(&t);
}

static void the_built_in_family_is_written_the_same_way(void) {
    for (int u = -9; u <= 9; u++) {
        char text[512];
        EXPECT_INT(kith_template_unit_text(u, text, sizeof text), 0);
        kith_template *t = parsed(text);
        EXPECT(t != NULL);
        EXPECT(kith_template_about(t)->unit == kith_template_unit(u));
        EXPECT_INT(kith_template_about(t)->ttl_s, 604800);
        EXPECT_INT(kith_template_about(t)->route, KITH_ROUTE_NONE);
        kith_template_free(&t);
    }
}

static void lint_says_what_a_reader_would(void) {
    kith_template *t =
        parsed("[template]\nname = a\nversion = 1\nmeasure = any\nttl = 1d\n"
               "half-life = 2d\nradius = 0.1\nlevels = 0,5\n"
               "[dimension x]\ntransform = category a b c d e f g h i j k l\n");
    EXPECT(t != NULL);
    int count = 0;
    while (kith_template_lint(t, (size_t) count) != NULL) count++;
    EXPECT_INT(count, 5);
    kith_template_free(&t);
    t = parsed(bearing);
    EXPECT(strstr(kith_template_lint(t, 0), "finer") != NULL);
    EXPECT(kith_template_lint(t, 1) == NULL);
    kith_template_free(&t);
}

static const test_case cases[] = {
    { "spacing_order_and_comments_do_not_change_the_id",
        spacing_order_and_comments_do_not_change_the_id },
    { "the_id_is_the_same_on_every_machine", the_id_is_the_same_on_every_machine },
    { "the_canonical_text_is_its_own_canonical_text",
        the_canonical_text_is_its_own_canonical_text },
    { "any_change_of_meaning_changes_the_id", any_change_of_meaning_changes_the_id },
    { "what_makes_no_sense_is_refused_with_its_line",
        what_makes_no_sense_is_refused_with_its_line },
    { "decimals_mean_one_double_and_have_one_text",
        decimals_mean_one_double_and_have_one_text },
    { "values_become_the_same_numbers_everywhere",
        values_become_the_same_numbers_everywhere },
    { "a_circle_has_no_seam", a_circle_has_no_seam },
    { "the_integer_logarithm_is_one", the_integer_logarithm_is_one },
    { "a_context_is_read_by_its_template", a_context_is_read_by_its_template },
    { "twins_meet_and_strangers_are_told_apart", twins_meet_and_strangers_are_told_apart },
    { "ranges_are_judged_before_pooling", ranges_are_judged_before_pooling },
    { "a_set_keeps_one_meaning_for_a_name", a_set_keeps_one_meaning_for_a_name },
    { "many_dimensions_go_by_hash_tables", many_dimensions_go_by_hash_tables },
    { "the_built_in_family_is_written_the_same_way",
        the_built_in_family_is_written_the_same_way },
    { "lint_says_what_a_reader_would", lint_says_what_a_reader_would },
};
TEST_MAIN(cases)
