/* SPDX-License-Identifier: Apache-2.0 */
/* What crosses is what was posted: every part, size and byte. */
#include "cli/conform/check.h"

#include <stdio.h>
#include <string.h>

#define SMALLEST 152 /* a report on a subject of one byte */

/* Posts all, and wants each at another node byte for byte. */
static void cross(world *w, kith_post *posts, size_t count) {
    site *a = site_new(w), *b = site_new(w);
    GOOD(w, site_up(a) && site_up(b));
    kith_error err = { 0 };
    for (size_t i = 0; i < count; i++) {
        kith_content *c = &posts[i].content;
        c->t_end_us = c->t_end_us != 0 ? c->t_end_us : w->now.wall_us - SECOND_US;
        c->ttl_s = c->ttl_s != 0 ? c->ttl_s : WEEK_S;
    }
    WANT_INT(w, kith_store_post(a->store, a->key, posts, count, site_now(a), &err), 0);
    for (size_t i = 0; i < count; i++) {
        if (posts[i].result != 0) {
            world_fail(w, "post %zu: %s", i, kith_refusal_words(posts[i].result));
            return;
        }
    }
    GOOD(w, until_holds(b, ">", count));
    for (size_t i = 0; i < count; i++) {
        if (!holds_packet(b, &posts[i].packet)) {
            world_fail(w, "packet %zu of %zu did not arrive as it was", i, count);
            return;
        }
    }
    WANT(w, digests_equal(a, b));
    world_by(w, site_backfilled(b) == 0);
}

static kith_content plain(const char *subject) {
    kith_content c = {
        .type = KITH_LEAF,
        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
        .measure = KITH_MEAN,
        .components = 1,
        .n = 7,
        .effect = { -0.375 },
        .covariance = { 0.0625 },
    };
    snprintf(c.address.subject, sizeof c.address.subject, "%s", subject);
    return c;
}

static void effect_of(world *w) {
    kith_post p = { .content = plain("value.effect") };
    kith_content *c = &p.content;
    c->components = (uint8_t) w->arg;
    for (int row = 0, at = 0; row < w->arg; row++) {
        c->effect[row] = 0.1 * (row + 1) - 0.25;
        for (int column = 0; column <= row; column++) {
            c->covariance[at++] = row == column ? 0.5 + row : 0.03125;
        }
    }
    cross(w, &p, 1);
}

static void effect_with_confidence(world *w) {
    kith_post p = { .content = plain("value.confidence") };
    p.content.has = KITH_HAS_EFFECT | KITH_HAS_CONFIDENCE;
    p.content.covariance[0] = 0;
    p.content.confidence = 0.87F;
    cross(w, &p, 1);
}

static kith_content bare(const char *subject, uint16_t has) {
    kith_content c = plain(subject);
    c.has = has;
    c.measure = c.components = 0;
    c.n = 0;
    c.effect[0] = c.covariance[0] = 0;
    return c;
}

static void counts(world *w) {
    static const uint32_t table[][2] = { { 0, 1 }, { 1, 1 }, { 11, 12 },
        { 999999, 1000000 } };
    kith_post p[4] = { 0 };
    for (int i = 0; i < 4; i++) {
        p[i].content = bare("value.counts", KITH_HAS_COUNTS);
        p[i].content.hits = table[i][0];
        p[i].content.tries = table[i][1];
    }
    cross(w, p, 4);
}

static void set_text(kith_content *c, const char *text) {
    c->has |= KITH_HAS_TEXT;
    c->text_length = (uint8_t) strlen(text);
    snprintf(c->text, sizeof c->text, "%s", text);
}

static void report(world *w) {
    kith_post p[3] = { 0 };
    p[0].content = bare("value.report", KITH_HAS_CONCLUSION);
    p[0].content.conclusion = 65535;
    p[1].content = bare("value.report", 0);
    set_text(&p[1].content, "bearing changed, draw fell by a tenth");
    p[2].content = bare("value.report", KITH_HAS_CONCLUSION | KITH_HAS_CONFIDENCE);
    p[2].content.conclusion = 1;
    p[2].content.confidence = 1.0F;
    set_text(&p[2].content, "x");
    cross(w, p, 3);
}

static void text(world *w) {
    static const char *const texts[] = { "a", "Lager gewechselt: Strömung −10 %",
        "軸受を交換した", "π ≈ 3.14159, 100 % | a,b;c\"d'e\\f", "🦊 four bytes 🦊" };
    kith_post p[6] = { 0 };
    for (int i = 0; i < 5; i++) {
        p[i].content = plain("value.text");
        set_text(&p[i].content, texts[i]);
    }
    p[5].content = plain("value.text");
    char longest[KITH_TEXT_MAX + 1];
    memset(longest, 'm', KITH_TEXT_MAX);
    longest[KITH_TEXT_MAX] = '\0';
    set_text(&p[5].content, longest);
    cross(w, p, 6);
}

static void context(world *w) {
    static kith_post p[80];
    world_bulk(w);
    memset(p, 0, sizeof p);
    for (int i = 0; i < 80; i++) {
        kith_content *c = &p[i].content;
        *c = plain("value.context");
        if (i < 16) {
            c->has |= KITH_HAS_CONTEXT16;
            c->context16_count = (uint8_t) (i + 1);
            for (int k = 0; k <= i; k++) {
                c->context16[k] = (uint16_t) (65535 - 4096 * k);
            }
        } else {
            c->has |= KITH_HAS_CONTEXT8;
            c->context8_count = (uint8_t) (i - 15);
            for (int k = 0; k <= i - 16; k++) {
                c->context8[k] = (int8_t) (k % 2 == 0 ? -128 + k : 127 - k);
            }
        }
    }
    cross(w, p, 80);
}

static void privacy(world *w) {
    kith_post p[2] = { { .content = plain("value.privacy") },
        { .content = plain("value.privacy") } };
    for (int i = 0; i < 2; i++) {
        p[i].content.has |= KITH_HAS_PRIVACY;
        p[i].content.mechanism = (uint8_t) (i + 1);
        p[i].content.rho = 0.5F;
        p[i].content.v_dp = 0.015625F;
    }
    cross(w, p, 2);
}

static void eval(world *w) {
    kith_post p = { .content = plain("value.eval") };
    p.content.type = KITH_EVAL;
    p.content.measure = KITH_SCORE_GAIN;
    cross(w, &p, 1);
}

static void digest_packet(world *w) {
    kith_post p = { .content = bare("value.digest", KITH_HAS_DIGEST) };
    kith_content *c = &p.content;
    c->type = KITH_DIGEST;
    c->digest.measure = KITH_MEAN;
    c->digest.components = (uint8_t) (w->arg == 0 ? 4 : 1);
    c->digest.level = 13;
    c->digest.prefix[0] = 0x80;
    c->digest.count = 3;
    for (int i = 0; i < c->digest.components; i++) {
        c->digest.sums[i][0].high = 48;
        c->digest.sums[i][1].high = 768;
        c->digest.sums[i][2] = (kith_i128){ UINT64_MAX - 4, 1 };
        c->digest.sums[i][3].high = 6;
    }
    if (w->arg == 1) {
        c->has |= KITH_HAS_SKETCH;
        memset(c->sketch, 0x04, sizeof c->sketch);
    }
    cross(w, &p, 1);
}

static void measures(world *w) {
    kith_post p[9] = { 0 };
    for (int i = 0; i < 9; i++) {
        p[i].content = plain("value.measure");
        p[i].content.measure = (uint8_t) (i + 1);
    }
    cross(w, p, 8);
}

static void units(world *w) {
    kith_post p[19] = { 0 };
    world_bulk(w);
    for (int i = 0; i < 19; i++) {
        p[i].content = plain("value.unit");
        p[i].content.template_id[15] = (uint8_t) (i - 9);
    }
    cross(w, p, 19);
}

static void subjects(world *w) {
    static char longest[KITH_SUBJECT_MAX + 1];
    world_bulk(w);
    memset(longest, 'z', KITH_SUBJECT_MAX);
    const char *const table[] = { "a", "0", "-", "a_b-c.9", "1.2.3.4.5.6.7.8",
        "con.aux.com1", "nul", "a-.-a", longest };
    kith_post p[9] = { 0 };
    for (int i = 0; i < 9; i++) {
        p[i].content = plain(table[i]);
    }
    cross(w, p, 9);
}

/* One unit more than `part` can hold alone is not possible: then the subject, which
 * grows byte by byte, gives one back. */
static size_t grow(size_t *rest, size_t *subject, size_t most) {
    if (*rest == 0) {
        return 0;
    }
    if (*rest == 1) {
        --*subject;
        ++*rest;
    }
    size_t part = *rest < most ? *rest : most;
    *rest -= part;
    return part;
}

/* A leaf of exactly that many bytes: a report, or, where that is not long enough,
 * counts with all that may stand beside them. */
static kith_content sized(size_t size) {
    bool counted = size > SMALLEST + 340;
    kith_content c = bare("s", KITH_HAS_CONCLUSION);
    c.conclusion = 9;
    if (counted) {
        c.has |= KITH_HAS_COUNTS;
        c.hits = c.tries = 9;
    }
    size_t rest = size - SMALLEST - (counted ? 8 : 0), subject = rest < 127 ? rest : 127;
    rest -= subject;
    size_t bytes = grow(&rest, &subject, 161);
    if (bytes > 0) {
        c.has |= KITH_HAS_TEXT;
        c.text_length = (uint8_t) (bytes - 1);
        memset(c.text, 't', bytes - 1);
    }
    bytes = grow(&rest, &subject, 65);
    if (bytes > 0) {
        c.has |= KITH_HAS_CONTEXT8;
        c.context8_count = (uint8_t) (bytes - 1);
    }
    memset(c.address.subject, 's', subject + 1);
    return c;
}

/* From the smallest packet there is up to 512 bytes, each size once. */
static void sizes(world *w) {
    static kith_post p[KITH_PACKET_MAX - SMALLEST + 1];
    memset(p, 0, sizeof p);
    size_t count = sizeof p / sizeof *p;
    world_bulk(w);
    for (size_t i = 0; i < count; i++) {
        p[i].content = sized(SMALLEST + i);
    }
    cross(w, p, count);
    for (size_t i = 0; i < count && !w->failed; i++) {
        WANT_INT(w, p[i].packet.length, SMALLEST + i);
    }
}

const check value_checks[] = {
    { "effect_of_one_component_arrives_whole", effect_of, 1 },
    { "effect_of_two_components_arrives_whole", effect_of, 2 },
    { "effect_of_four_components_arrives_whole", effect_of, 4 },
    { "effect_with_confidence_arrives_whole", effect_with_confidence, 0 },
    { "counts_of_trials_arrive_whole", counts, 0 },
    { "reports_arrive_whole", report, 0 },
    { "text_of_any_script_arrives_whole", text, 0 },
    { "contexts_of_every_length_arrive_whole", context, 0 },
    { "privacy_fields_arrive_whole", privacy, 0 },
    { "evaluations_arrive_whole", eval, 0 },
    { "digest_of_four_components_arrives_whole", digest_packet, 0 },
    { "digest_with_sketch_arrives_whole", digest_packet, 1 },
    { "every_measure_arrives_whole", measures, 0 },
    { "every_built_in_unit_arrives_whole", units, 0 },
    { "subjects_of_every_shape_arrive_whole", subjects, 0 },
    { "packets_of_every_size_arrive_whole", sizes, 0 },
    { NULL, NULL, 0 },
};
