/* SPDX-License-Identifier: Apache-2.0 */
/* What a node promises about contexts: twins find each other on a plain folder by exact
 * subjects, months apart; strangers stay out; one packet under many cells is one. */
#include "node/kit.h"

#include <kith/address.h>

#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

static const char bearing[] = "[template]\nname = bearing\nversion = 1\n"
                              "measure = mean-difference\nunit = 1\nradius = 0.05\n"
                              "ttl = 730d\npost-base = no\n"
                              "[dimension load]\ntransform = linear 0 1\n"
                              "[dimension heat]\ntransform = linear 0 1\n"
                              "[dimension dirt]\ntransform = linear 0 1\n";

static char place[64];
static kith_templates *known;
static const kith_template *kind;

static int forget_file(
    const char *path, const struct stat *st, int type, struct FTW *where) {
    (void) st, (void) type, (void) where;
    return remove(path);
}

static void begin(const char *text) {
    kith_template *t = NULL;
    if (!test_folder(test_place(), "kith-cells", place, sizeof place)) abort();
    if (kith_templates_new(&known) < 0) abort();
    if (kith_template_parse(&t, text, strlen(text), NULL) < 0) abort();
    kind = t;
    if (kith_templates_add(known, &t) != 0) abort();
}

static void end(void) {
    leave_all();
    kith_templates_free(&known);
    (void) nftw(place, forget_file, 16, FTW_DEPTH | FTW_PHYS);
}

/* A node at an instant of its own, with or without the template. */
static member *arrive(
    const char *url, const char *const *follows, size_t follow_count, bool knows) {
    member *me = &m[count];
    kith_error err = { 0 };
    uint8_t seed[32] = { (uint8_t) ++count };
    *me = (member){ 0 };
    if (kith_store_open(&me->store, "memory:", &err) != 0) fail("open a store", &err);
    if (kith_key_from_seed(&me->key, seed, &err) != 0) fail("make a key", &err);
    kith_node_config c = { .store = me->store,
        .key = me->key,
        .links = &url,
        .link_count = 1,
        .follows = follows,
        .follow_count = follow_count,
        .templates = knows ? known : NULL,
        .event = note,
        .ctx = me };
    if (kith_node_open(&me->node, &c, now, &err) != 0) fail("open a node", &err);
    return me;
}

static void tell(member *me, const char *values, double effect) {
    kith_post p = leaf("hvac.bearing", effect);
    kith_error err = { 0 };
    p.content.ttl_s = kith_template_about(kind)->ttl_s;
    p.content.has |= KITH_HAS_CONTEXT16;
    p.content.context16_count = kith_template_about(kind)->numbers;
    memcpy(p.content.template_id, kith_template_about(kind)->id, KITH_TEMPLATE_SIZE);
    if (kith_template_context(kind, values, p.content.context16, &err) < 0) {
        fail("context", &err);
    }
    if (kith_store_post(me->store, me->key, &p, 1, now, &err) != 0 || p.result != 0) {
        fail("post", &err);
    }
}

/* Turns by the scripted clock, while the folder's thread works in its own time, until
 * the node has nothing to do and has pulled so many; a minute is the guard. */
static bool settles(member *me, uint64_t pulled) {
    uint64_t guard = kith_time_now().mono_ns + 60000 * MS;
    while (kith_time_now().mono_ns < guard) {
        int fds[4];
        struct pollfd polls[4];
        if (kith_node_step(me->node, now) < 0) abort();
        kith_link_status status;
        if (kith_node_link_status(me->node, 0, &status) == 0 &&
            status.counters.pulled >= pulled && kith_node_idle(me->node)) {
            return true;
        }
        size_t n = kith_node_wake_fds(me->node, fds, 4);
        for (size_t i = 0; i < n; i++) polls[i] = (struct pollfd){ fds[i], POLLIN, 0 };
        (void) poll(polls, (nfds_t) n, 2);
        now.mono_ns += 2 * MS;
        now.wall_us += 2000;
    }
    return false;
}

static size_t follow_of(const char *values, kith_address *all, const char **ret) {
    uint16_t context[KITH_CONTEXT_MAX];
    if (kith_template_context(kind, values, context, NULL) < 0) abort();
    size_t n = kith_template_follow(kind, "hvac.bearing", context, all);
    for (size_t i = 0; i < n; i++) ret[i] = all[i].subject;
    return n;
}

/* In how many followed cells the packets of these contexts stand. */
static uint64_t shared_with(
    const char *const *follows, size_t n, const char *const *contexts, int many) {
    uint64_t sum = 0;
    for (int i = 0; i < many; i++) {
        kith_address cells[KITH_CELLS_MAX];
        const char *theirs[KITH_CELLS_MAX];
        size_t k = follow_of(contexts[i], cells, theirs);
        for (size_t a = 0; a < n * k; a++) {
            sum += strcmp(follows[a / k], theirs[a % k]) == 0;
        }
    }
    return sum;
}

/* Three of February, one of them in other circumstances; in November a fourth asks. */
static void last_winters_twin_is_found_on_a_plain_folder(void) {
    char url[128];
    kith_time scripted = now;
    kith_address cells[KITH_CELLS_MAX];
    const char *follows[KITH_CELLS_MAX], *all = ">";
    begin(bearing);
    snprintf(url, sizeof url, "dir://%s?poll=50ms", place);
    static const char *const winter[] = { "0.18,0.92,0.03", "0.20,0.90,0.05",
        "0.17,0.93,0.02", "0.80,0.10,0.50" };
    for (int i = 0; i < 4; i++) {
        member *w = arrive(url, &all, 1, true);
        tell(w, winter[i], i == 3 ? 9 : 1 + 0.1 * i);
        EXPECT(settles(w, 0));
        kith_node_close(&w->node);
    }
    now.wall_us += INT64_C(270) * 86400 * 1000000;
    size_t n = follow_of("0.18,0.91,0.04", cells, follows);
    EXPECT_INT(n, 5);
    for (size_t i = 0; i < n; i++) EXPECT(kith_subject_valid(follows[i])); /* no wildcard */
    member *me = arrive(url, follows, n, true);
    EXPECT(settles(me, shared_with(follows, n, winter, 3)));
    EXPECT_INT(me->accepted, 3);
    EXPECT_INT(packets(me), 3);
    EXPECT_INT(me->refused, 0);
    kith_twins twins = { 0 };
    uint16_t near[KITH_CONTEXT_MAX];
    uint8_t id[KITH_TEMPLATE_SIZE], measure;
    kith_answer answer;
    kith_error err = { 0 };
    EXPECT_INT(kith_template_context(kind, "0.18,0.91,0.04", near, NULL), 0);
    kith_ask ask = { .subject = "hvac.bearing",
        .templates = known,
        .template_id = kith_template_about(kind)->id,
        .near = near,
        .near_count = 3,
        .ret_twins = &twins,
        .now_us = now.wall_us };
    EXPECT_INT(
        kith_ask_store(me->store, &ask, &answer, id, &measure, NULL, 0, NULL, &err), 0);
    EXPECT(!answer.insufficient);
    EXPECT_INT(answer.k, 3);
    EXPECT(answer.kept.mu > 1.05 && answer.kept.mu < 1.15);
    EXPECT_INT(twins.within, 3);
    EXPECT_INT(twins.found, 3);
    end();
    now = scripted;
}

/* It stands there five times; it is one entry, and one vote. */
static void one_packet_in_several_cells_is_one_entry(void) {
    char url[128];
    kith_time scripted = now;
    const char *all = ">";
    begin(bearing);
    snprintf(url, sizeof url, "dir://%s?poll=50ms", place);
    member *a = arrive(url, &all, 1, true);
    tell(a, "0.5,0.5,0.5", 1);
    EXPECT(settles(a, 0));
    member *b = arrive(url, &all, 1, true);
    EXPECT(settles(b, 5));
    kith_link_status status;
    EXPECT_INT(kith_node_link_status(b->node, 0, &status), 0);
    EXPECT_INT(packets(b), 1);
    EXPECT_INT(b->accepted, 1);
    EXPECT_INT(status.duplicates, 4);
    EXPECT_INT(status.counters.pulled, 5);
    end();
    now = scripted;
}

/* Who does not know the template stores the packet and never pools it. */
static void without_the_template_it_is_stored_and_never_pooled(void) {
    char url[128];
    kith_time scripted = now;
    const char *all = ">";
    begin(bearing);
    snprintf(url, sizeof url, "dir://%s?poll=50ms", place);
    member *a = arrive(url, &all, 1, true);
    tell(a, "0.5,0.5,0.5", 1);
    EXPECT(settles(a, 0));
    member *b = arrive(url, &all, 1, false);
    EXPECT(settles(b, 1));
    EXPECT_INT(packets(b), 1);
    EXPECT_INT(b->refused, 0);
    kith_answer answer;
    kith_evidence row;
    uint8_t id[KITH_TEMPLATE_SIZE], measure;
    size_t rows = 0;
    kith_ask ask = { .subject = "hvac.bearing", .now_us = now.wall_us };
    EXPECT_INT(
        kith_ask_store(b->store, &ask, &answer, id, &measure, &row, 1, &rows, NULL), 0);
    EXPECT_INT(answer.k, 0);
    EXPECT_INT(rows, 1);
    EXPECT(strstr(row.left_out, "template is not known") != NULL);
    end();
    now = scripted;
}

/* Of a subject: its tokens, each with = behind it. */
static void folder_of(const char *subject, char *ret, size_t size) {
    size_t used = (size_t) snprintf(ret, size, "%s/kith-1/", place);
    for (const char *p = subject; used + 3 < size; p++) {
        bool mark = *p == '.' || *p == '\0';
        ret[used++] = mark ? '=' : *p;
        if (*p == '.') ret[used++] = '/';
        if (*p == '\0') break;
    }
    ret[used] = '\0';
}

/* The right bytes under a cell of another context. */
static void a_packet_under_a_foreign_cell_is_refused(void) {
    char url[128], from[KITH_SUBJECT_MAX + 1], from_folder[500], to_folder[500];
    kith_time scripted = now;
    kith_address cells[KITH_CELLS_MAX];
    const char *follows[KITH_CELLS_MAX], *all = ">";
    begin(bearing);
    snprintf(url, sizeof url, "dir://%s?poll=50ms", place);
    member *a = arrive(url, &all, 1, true);
    tell(a, "0.5,0.5,0.5", 1);
    EXPECT(settles(a, 0));
    kith_node_close(&a->node);
    EXPECT_INT(follow_of("0.5,0.5,0.5", cells, follows), 5);
    char *cell = cells[0].subject, *dot;
    snprintf(from, sizeof from, "%s", cell);
    for (dot = strrchr(cell, '.') + 1; *dot != '\0'; dot++) *dot = '0';
    EXPECT(strcmp(from, cell) != 0);
    folder_of(from, from_folder, sizeof from_folder);
    folder_of(cell, to_folder, sizeof to_folder);
    EXPECT_INT(rename(from_folder, to_folder), 0);
    member *b = arrive(url, &all, 1, true);
    EXPECT(settles(b, 5));
    EXPECT_INT(b->accepted, 1);
    EXPECT_INT(b->refused, 1);
    EXPECT_INT(b->last_refusal, KITH_R_ADDRESS);
    end();
    now = scripted;
}

static const test_case cases[] = {
    { "last_winters_twin_is_found_on_a_plain_folder",
        last_winters_twin_is_found_on_a_plain_folder },
    { "one_packet_in_several_cells_is_one_entry",
        one_packet_in_several_cells_is_one_entry },
    { "without_the_template_it_is_stored_and_never_pooled",
        without_the_template_it_is_stored_and_never_pooled },
    { "a_packet_under_a_foreign_cell_is_refused",
        a_packet_under_a_foreign_cell_is_refused },
};
TEST_MAIN(cases)
