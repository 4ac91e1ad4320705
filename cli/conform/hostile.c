/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that mean harm: refused, counted, and what stands behind them is read. */
#include "cli/conform/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A reader with one good packet in it, and a link to inject through. */
typedef struct scene {
    site *reader;
    raw r;
    uint8_t before[32];
    uint64_t seq;
} scene;

static bool scene_begin(world *w, scene *ret) {
    *ret = (scene){ .reader = site_new(w) };
    kith_content c = leaf(w, "evil.first");
    kith_packet p;
    if (ret->reader == NULL || !site_up(ret->reader) || !raw_open(w, &ret->r)) {
        return false;
    }
    return seal(210, 1, ret->seq++, &c, &p) && raw_packet(&ret->r, &p) &&
           until_holds(ret->reader, ">", 1) && digest(ret->reader, ret->before);
}

/* The state is what it was, and a good packet behind the bad ones still counts. */
static bool scene_end(world *w, scene *s) {
    uint8_t after[32];
    bool good = !w->failed && world_rest(w) && digest(s->reader, after);
    if (good && memcmp(after, s->before, sizeof after) != 0) {
        world_fail(w, "the state has changed");
    }
    kith_content c = leaf(w, "evil.last");
    kith_packet p;
    good = good && seal(211, 1, s->seq++, &c, &p) && raw_packet(&s->r, &p) &&
           until_holds(s->reader, "evil.last", 1);
    raw_close(&s->r);
    return good && !w->failed;
}

/* Posts `count` bad ones and waits until the node has refused them all. */
static bool refused_all(world *w, scene *s, int refusal, uint64_t count) {
    bool good = raw_settle(&s->r) && until_refused(s->reader, refusal, count);
    world_by(w, false);
    return good;
}

/* A wire that repeats on purpose has the same refused more than once. */
static bool refused_exactly(const world *w, uint64_t refused, uint64_t want) {
    return refused == want || (bends(w) && refused > want);
}

static void bad_signature(world *w) {
    scene s;
    GOOD(w, scene_begin(w, &s));
    for (int i = 0; i < 8 && !w->failed; i++) {
        kith_content c = leaf(w, "evil.signature");
        kith_packet p;
        (void) !seal(212, 1, s.seq++, &c, &p);
        p.bytes[p.length - 1 - i * 8] ^= (uint8_t) (1u << i);
        (void) !raw_packet(&s.r, &p);
    }
    (void) !refused_all(w, &s, KITH_R_SIGNATURE, 8);
    GOOD(w, scene_end(w, &s));
}

/* A good packet of somebody else under my name: the source is signed too. */
static void other_source(world *w) {
    scene s;
    GOOD(w, scene_begin(w, &s));
    kith_content c = leaf(w, "evil.source");
    kith_packet p;
    (void) !seal(213, 1, s.seq++, &c, &p);
    kith_key_public(s.reader->key, p.bytes + 20);
    (void) !raw_packet(&s.r, &p);
    (void) !refused_all(w, &s, KITH_R_SIGNATURE, 1);
    GOOD(w, scene_end(w, &s));
}

/* Does the wire carry a copy of the address, to lie with? */
static bool bare_wire(world *w) {
    raw out, in;
    kith_item item = { 0 };
    if (!raw_open(w, &out)) {
        return false;
    }
    bool good = raw_open(w, &in);
    good = good && kith_link_follow(in.link, "evil.bare") == 0 &&
           raw_post(&out, "evil.bare", "bare", 4) == 0 && raw_wait(&in, &item);
    raw_close(&in);
    raw_close(&out);
    return good && item.from.subject[0] == '\0';
}

static void wrong_address(world *w) {
    static const char *const shown[] = { "evil.other", "evil.address.x", "evil",
        "evil.addres" };
    if (bare_wire(w)) {
        world_skip(w, "cannot occur: the wire carries no address beside the packet");
        return;
    }
    scene s;
    GOOD(w, scene_begin(w, &s));
    for (int i = 0; i < 4 && !w->failed; i++) {
        kith_content c = leaf(w, "evil.address");
        kith_packet p;
        (void) !seal(214, 1, s.seq++, &c, &p);
        if (raw_post(&s.r, shown[i], p.bytes, p.length) != 0) {
            world_fail(w, "injection under %s failed", shown[i]);
        }
    }
    (void) !refused_all(w, &s, KITH_R_ADDRESS, 4);
    GOOD(w, scene_end(w, &s));
}

/* arg: how many bytes too many. */
static void trailing(world *w) {
    scene s;
    GOOD(w, scene_begin(w, &s));
    kith_content c = leaf(w, "evil.trailing");
    kith_packet p;
    (void) !seal(215, 1, s.seq++, &c, &p);
    memset(p.bytes + p.length, 0, 3);
    for (int more = 1; more <= 3 && !w->failed; more++) {
        if (raw_post(&s.r, "evil.trailing", p.bytes, (size_t) (p.length + more)) != 0) {
            world_fail(w, "injection failed");
        }
    }
    (void) !refused_all(w, &s, KITH_R_LENGTH, 3);
    uint64_t refused = site_refused_all(s.reader);
    GOOD(w, scene_end(w, &s));
    WANT(w, refused_exactly(w, refused, 3));
}

static void version(world *w) {
    scene s;
    GOOD(w, scene_begin(w, &s));
    static const uint8_t versions[] = { 0, 2, 3, 128, 255 };
    for (size_t i = 0; i < sizeof versions && !w->failed; i++) {
        kith_content c = leaf(w, "evil.version");
        kith_packet p;
        (void) !seal(216, 1, s.seq++, &c, &p);
        p.bytes[0] = versions[i];
        if (raw_post(&s.r, "evil.version", p.bytes, p.length) != 0) {
            world_fail(w, "injection failed");
        }
    }
    (void) !refused_all(w, &s, KITH_R_VERSION, sizeof versions);
    GOOD(w, scene_end(w, &s));
}

/* arg: the refusal. Each is one byte of the head gone wrong. */
static void head(world *w) {
    static const struct {
        int refusal;
        size_t at;
        uint8_t value;
    } rows[] = { { KITH_R_TYPE, 1, 9 }, { KITH_R_FLAGS, 2, 0x80 },
        { KITH_R_ORDER, 52, 0xff }, { KITH_R_TIME, 68, 0xff } };
    scene s;
    GOOD(w, scene_begin(w, &s));
    for (size_t i = 0; i < 4 && !w->failed; i++) {
        kith_content c = leaf(w, "evil.head");
        kith_packet p;
        (void) !seal(217, 1, s.seq++, &c, &p);
        p.bytes[rows[i].at] = rows[i].value;
        if (raw_post(&s.r, "evil.head", p.bytes, p.length) != 0) {
            world_fail(w, "injection failed");
        }
        (void) !refused_all(w, &s, rows[i].refusal, 1);
    }
    GOOD(w, scene_end(w, &s));
}

/* NaN, infinity, a variance of zero: written into the bytes past all checks. */
static void numbers(world *w) {
    static const uint8_t rows[][8] = { { 0x7f, 0xf8 }, { 0x7f, 0xf0 }, { 0xff, 0xf0 },
        { 0x80 }, { 0, 0, 0, 0, 0, 0, 0, 1 } };
    scene s;
    GOOD(w, scene_begin(w, &s));
    size_t effect = 84 + 1 + strlen("evil.number") + 6;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !w->failed; i++) {
        kith_content c = leaf(w, "evil.number");
        kith_packet p;
        (void) !seal(218, 1, s.seq++, &c, &p);
        memcpy(p.bytes + effect, rows[i], 8);
        if (raw_post(&s.r, "evil.number", p.bytes, p.length) != 0) {
            world_fail(w, "injection failed");
        }
    }
    (void) !refused_all(w, &s, KITH_R_NUMBER, sizeof rows / sizeof *rows);
    GOOD(w, scene_end(w, &s));
}

typedef struct all_refused {
    const site *site;
    uint64_t count;
} all_refused;

static bool refused_so_many(world *w, const void *arg) {
    (void) w;
    const all_refused *v = arg;
    return site_refused_all(v->site) >= v->count;
}

/* Every prefix of a good packet. */
static void truncated(world *w) {
    scene s;
    world_bulk(w);
    GOOD(w, scene_begin(w, &s));
    kith_content c = leaf(w, "evil.short");
    kith_packet p;
    (void) !seal(219, 1, s.seq++, &c, &p);
    bool good = true;
    for (size_t i = 1; i < p.length && good; i++) {
        good = raw_post(&s.r, "evil.short", p.bytes, i) == 0;
        if (i % 32 == 0) {
            good = good && world_turn(w) >= 0;
        }
    }
    good = good && raw_settle(&s.r);
    all_refused all = { s.reader, p.length - 1u };
    good = good && world_until(w, refused_so_many, &all);
    uint64_t refused = site_refused_all(s.reader);
    GOOD(w, scene_end(w, &s) && good);
    WANT(w, refused_exactly(w, refused, p.length - 1u));
    world_by(w, false);
}

/* Every byte of a good packet damaged once. */
static void damaged(world *w) {
    scene s;
    world_bulk(w);
    GOOD(w, scene_begin(w, &s));
    kith_content c = leaf(w, "evil.damaged");
    kith_packet p;
    (void) !seal(220, 1, s.seq++, &c, &p);
    bool good = true;
    for (size_t i = 0; i < p.length && good; i++) {
        kith_packet bad = p;
        bad.bytes[i] ^= (uint8_t) (1u << (i % 8));
        good = raw_post(&s.r, "evil.damaged", bad.bytes, bad.length) == 0;
        if (i % 32 == 0) {
            good = good && world_turn(w) >= 0;
        }
    }
    good = good && raw_settle(&s.r);
    all_refused all = { s.reader, p.length };
    good = good && world_until(w, refused_so_many, &all);
    uint64_t refused = site_refused_all(s.reader);
    GOOD(w, scene_end(w, &s) && good);
    WANT(w, refused_exactly(w, refused, p.length));
    world_by(w, false);
}

/* Rubbish is the first thing a fresh reader meets. */
static void poison_first(world *w) {
    static const char *const rubbish[] = { "", "{\"hello\":\"world\"}", "x",
        "\xff\xfe\xfd\xfc", "GET / HTTP/1.1\r\n\r\n" };
    raw r;
    GOOD(w, raw_open(w, &r));
    bool good = true;
    for (size_t i = 1; i < 5 && good; i++) {
        good = raw_post(&r, "evil.poison", rubbish[i], strlen(rubbish[i])) == 0;
    }
    site *reader = site_new(w);
    kith_content c = leaf(w, "evil.poison");
    kith_packet p;
    good = good && raw_settle(&r) && site_up(reader) && seal(221, 1, 1, &c, &p) &&
           raw_packet(&r, &p) && until_holds(reader, ">", 1);
    raw_close(&r);
    GOOD(w, good && world_rest(w));
    WANT_INT(w, reader->accepted, 1);
    /* And it is not met again by the next one that opens the same store. */
    uint64_t before = site_refused_all(reader);
    site_down(reader);
    GOOD(w, site_up(reader) && world_rest(w));
    WANT_INT(w, holds(reader, ">"), 1);
    world_by(w, before == 0);
}

/* ---- in the carrier's own place, past every link ---- */

static bool put_file(
    const char *folder, const char *name, const void *bytes, size_t length) {
    char path[PATH_SIZE + 300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, bytes, length) == (ssize_t) length;
    return (fd < 0 || close(fd) == 0) && good;
}

/* Finds the deepest folder that holds packets of `subject`'s first token. */
static void foreign_files(world *w) {
    if (strcmp(w->scheme, "dir") != 0) {
        world_skip(w, "cannot occur: nobody but links can write here");
        return;
    }
    static char big[1 << 20];
    scene s;
    GOOD(w, scene_begin(w, &s));
    char deep[PATH_SIZE + 80], folder[PATH_SIZE + 100];
    snprintf(deep, sizeof deep, "%s/kith-1", w->place);
    snprintf(folder, sizeof folder, "%s/evil=", deep);
    const char *at = access(folder, F_OK) == 0 ? folder : deep;
    char name[PATH_SIZE + 300];
    bool good = put_file(at, "readme.txt", "hello", 5) && put_file(at, "empty.kp", "", 0) &&
                put_file(at, "0123456789abcdef0123456789abcdef.kp", big, 513) &&
                put_file(at, "1123456789abcdef0123456789abcdef.kp", big, 65536) &&
                put_file(at, "2123456789abcdef0123456789abcdef.kp", big, sizeof big) &&
                put_file(at, "half (conflict).kp", big, 100);
    snprintf(name, sizeof name, "%s/x.kp", at);
    good = good && mkdir(name, 0700) == 0;
    snprintf(name, sizeof name, "%s/3123456789abcdef0123456789abcdef.kp", at);
    good = good && symlink("/etc/passwd", name) == 0;
    snprintf(name, sizeof name, "%s/loop=", at);
    good = good && symlink("..", name) == 0;
    if (!good) {
        world_fail(w, "could not place foreign files in %s", at);
    }
    /* A reader that must scan meets them too. */
    site *late = site_new(w);
    (void) !(site_up(late) && until_holds(late, ">", 1));
    GOOD(w, scene_end(w, &s));
    GOOD(w, until_holds(late, ">", 2));
    snprintf(name, sizeof name, "%s/readme.txt", at);
    WANT(w, access(name, F_OK) == 0);
    snprintf(name, sizeof name, "%s/2123456789abcdef0123456789abcdef.kp", at);
    WANT(w, access(name, F_OK) == 0);
    WANT_INT(w, late->accepted, 2);
    world_by(w, true);
}

/* Control subjects are no packets' subjects: a forged one brings nothing. */
static void control_forged(world *w) {
    if (bare_wire(w)) {
        world_skip(w, "cannot occur: the wire carries no address beside the packet");
        return;
    }
    scene s;
    GOOD(w, scene_begin(w, &s));
    kith_content c = leaf(w, "evil.control");
    kith_packet p;
    (void) !seal(222, 1, s.seq++, &c, &p);
    int code = raw_post(&s.r, "_sys.sync.evil", p.bytes, p.length);
    bool told = code == 0 || code == KITH_E_ARG;
    GOOD(w, scene_end(w, &s));
    WANT(w, told);
    WANT_INT(w, holds(s.reader, "evil.control"), 0);
}

/* Sync frames of noise, where the carrier takes any. */
static void sync_noise(world *w) {
    if ((w->can & KITH_CAN_SYNC) == 0) {
        world_skip(w, "the carrier takes no sync frames");
        return;
    }
    scene s;
    GOOD(w, scene_begin(w, &s));
    uint64_t dice = 9;
    for (int i = 0; i < 200 && !w->failed; i++) {
        uint8_t noise[KITH_PACKET_MAX];
        for (size_t k = 0; k < sizeof noise; k++) {
            dice = dice * 6364136223846793005u + 1442695040888963407u;
            noise[k] = (uint8_t) (dice >> 56);
        }
        memcpy(noise, "KS", 2); /* what tells a frame on a wire without a header */
        kith_posting p = { .kind = KITH_ITEM_SYNC,
            .length = (uint16_t) (2 + i * 2),
            .bytes = noise,
            .expires_us = INT64_MAX,
            .ticket = ++s.r.ticket };
        if (kith_link_post(s.r.link, &p) < 0) {
            world_fail(w, "a sync frame was refused");
        }
        (void) !world_turn(w);
    }
    GOOD(w, scene_end(w, &s));
    world_by(w, false);
}

const check hostile_checks[] = {
    { "a_bad_signature_is_refused_and_counted", bad_signature, 0 },
    { "a_packet_under_another_source_is_refused", other_source, 0 },
    { "a_valid_packet_under_a_wrong_subject_is_refused", wrong_address, 0 },
    { "trailing_bytes_are_refused", trailing, 0 },
    { "unknown_versions_are_skipped_and_counted", version, 0 },
    { "unknown_types_flags_and_orders_are_refused", head, 0 },
    { "nan_infinity_and_denormals_are_refused", numbers, 0 },
    { "every_truncation_is_refused", truncated, 0 },
    { "damage_in_any_byte_is_refused", damaged, 0 },
    { "poison_first_in_the_queue_stops_nobody", poison_first, 0 },
    { "foreign_files_and_oversize_are_ignored_and_kept", foreign_files, 0 },
    { "a_packet_on_a_control_subject_is_not_stored", control_forged, 0 },
    { "sync_frames_of_noise_change_nothing", sync_noise, 0 },
    { NULL, NULL, 0 },
};
