/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what tests/vectors/sync_check.py reads.
 *
 *   sync_vectors golden         frames of every kind, and what is derived from a
 *                               nonce: JSON
 *   sync_vectors stream SEED N  N random frames, many of them spoilt, with what the
 *                               reader says: one JSON line each
 */
#include "sync/inside.h"

#include "base/dice.h"

#include <kith/error.h>

#include <stdio.h>
#include <stdlib.h>

static void hex(const uint8_t *bytes, size_t size) {
    putchar('"');
    for (size_t i = 0; i < size; i++) printf("%02x", bytes[i]);
    putchar('"');
}

static void bound(ki_bound b) {
    printf("\"%016llx%016llx\"", (unsigned long long) b.expiry, (unsigned long long) b.id);
}

static void tags(const ki_piece *p) {
    printf(",\"tags\":[");
    for (uint32_t i = 0; i < p->count; i++) {
        printf("%s\"%016llx\"", i ? "," : "", (unsigned long long) p->tags[i]);
    }
    putchar(']');
}

static void show_ask(const ki_piece *p) {
    if (p->kind != ASK_TAGS) printf(",\"rid\":%u", p->rid);
    if (p->kind != ASK_ROOT) {
        printf(",\"lo\":");
        bound(p->lo);
        printf(",\"hi\":");
        bound(p->hi);
    }
    if (p->kind == ASK_CELLS) printf(",\"start\":%u,\"count\":%u", p->start, p->count);
    if (p->kind == ASK_RANGE) printf(",\"credit\":%llu", (unsigned long long) p->total);
    if (p->kind == ASK_TAGS) tags(p);
}

static void show_split(const ki_piece *p) {
    printf(",\"parts\":[");
    for (uint32_t i = 0; i < p->count; i++) {
        printf("%s[", i ? "," : "");
        if (i + 1 < p->count) {
            bound(p->parts[i].hi);
        } else {
            printf("null");
        }
        printf(",%llu,\"%016llx\"]", (unsigned long long) p->parts[i].count,
            (unsigned long long) p->parts[i].print);
    }
    putchar(']');
}

static void show_cells(const ki_cell *cells, uint32_t count) {
    printf(",\"cells\":[");
    for (uint32_t i = 0; i < count; i++) {
        printf("%s[\"%016llx\",\"%08x\",%d]", i ? "," : "",
            (unsigned long long) cells[i].sum, cells[i].check, cells[i].count);
    }
    putchar(']');
}

static void show_tell(const ki_piece *p) {
    if (p->kind != TELL_BUSY && p->kind != TELL_FLOOR) printf(",\"rid\":%u", p->rid);
    switch (p->kind) {
    case TELL_ROOT:
        printf(",\"count\":%llu,\"root\":", (unsigned long long) p->total);
        hex(p->root, ROOT_SIZE);
        break;
    case TELL_SPLIT: show_split(p); break;
    case TELL_ITEMS: tags(p); break;
    case TELL_CELLS:
        printf(",\"start\":%u", p->start);
        show_cells(p->cells, p->count);
        break;
    case TELL_BUSY:
        printf(",\"seconds\":%llu,\"reason\":%u", (unsigned long long) p->total, p->reason);
        break;
    case TELL_FLOOR: printf(",\"floor\":%llu", (unsigned long long) p->total); break;
    default:
        printf(",\"reached\":");
        bound(p->hi);
        printf(",\"sent\":%llu", (unsigned long long) p->total);
    }
}

static void show_hello(const ki_hello *h, const uint8_t *signature) {
    printf(",\"answer\":%s,\"key\":", h->answer ? "true" : "false");
    hex(h->key, KITH_KEY_SIZE);
    printf(",\"ephemeral\":");
    hex(h->ephemeral, 32);
    printf(",\"boundary\":%u,\"stored\":%llu,\"count\":%llu,\"root\":", h->boundary,
        (unsigned long long) h->stored, (unsigned long long) h->count);
    hex(h->root, ROOT_SIZE);
    printf(",\"trust\":");
    hex(h->trust, sizeof h->trust);
    printf(",\"patterns\":[");
    for (size_t at = 0, i = 0; at < h->patterns.length;
         at += h->patterns.bytes[at] + 1u, i++) {
        printf("%s\"%.*s\"", i ? "," : "", h->patterns.bytes[at],
            (const char *) h->patterns.bytes + at + 1);
    }
    printf("],\"signature\":");
    hex(signature, FRAME_SIGNATURE);
}

static void show_keys(const ki_keys *k) {
    printf(",\"source\":");
    hex(k->source, sizeof k->source);
    printf(",\"epoch\":%llu,\"runs\":[", (unsigned long long) k->epoch);
    for (uint32_t i = 0; i < k->count; i++) {
        printf("%s[%llu,%llu]", i ? "," : "", (unsigned long long) k->runs[i].first,
            (unsigned long long) k->runs[i].length);
    }
    putchar(']');
}

static bool readable(const uint8_t *bytes, size_t length) {
    ki_reader r;
    ki_head head;
    ki_hello hello;
    ki_keys keys;
    const uint8_t *signature;
    if (ki_frame_open(&r, bytes, length, &head) < 0) return false;
    switch (head.type) {
    case FRAME_HELLO: return ki_read_hello(&r, &hello, &signature) == 0;
    case FRAME_KEYS: return ki_read_keys(&r, &keys) == 0;
    default: return ki_frame_sound(&r);
    }
}

static void show(const uint8_t *bytes, size_t length) {
    ki_reader r;
    ki_head head;
    ki_hello hello;
    ki_keys keys;
    ki_piece p;
    const uint8_t *signature;
    printf("{\"hex\":");
    hex(bytes, length);
    if (!readable(bytes, length)) {
        printf(",\"refused\":true}");
        return;
    }
    int r0 = ki_frame_open(&r, bytes, length, &head);
    printf(",\"type\":%u,\"to\":\"%016llx\",\"from\":\"%016llx\",\"nonce\":\"%016llx\","
           "\"scope\":\"%08x\",\"floor\":%u",
        head.type, (unsigned long long) head.to, (unsigned long long) head.from,
        (unsigned long long) head.nonce, head.scope, head.floor);
    if (r0 == 0 && head.type == FRAME_HELLO && ki_read_hello(&r, &hello, &signature) == 0) {
        show_hello(&hello, signature);
    } else if (head.type == FRAME_KEYS && ki_read_keys(&r, &keys) == 0) {
        show_keys(&keys);
    } else {
        printf(",\"pieces\":[");
        for (int i = 0; ki_frame_next(&r, &p) == 0; i++) {
            printf("%s{\"kind\":%u", i ? "," : "", p.kind);
            if (head.type == FRAME_ASK) {
                show_ask(&p);
            } else {
                show_tell(&p);
            }
            putchar('}');
        }
        putchar(']');
    }
    putchar('}');
}

/* One roll a statement: C leaves open which operand or member comes first, and the
 * golden frames must be the same from every compiler. */
static uint64_t some_size(uint64_t *dice) {
    uint64_t all = dice_roll(dice);
    return all >> dice_below(dice, 64);
}

static void some_bytes(uint64_t *dice, uint8_t *ret, size_t size) {
    for (size_t i = 0; i < size; i++) ret[i] = (uint8_t) dice_roll(dice);
}

static ki_bound some_bound(uint64_t *dice) {
    ki_bound b = { .expiry = dice_roll(dice) };
    b.id = dice_roll(dice);
    switch (dice_below(dice, 5)) {
    case 0: return BOUND_END;
    case 1: b.id = 0; break;
    case 2:
        b = (ki_bound){ UINT64_C(0x60a24181e4000) + dice_below(dice, 1 << 20), 0 };
        break;
    case 3: b.id &= ~(UINT64_MAX >> 8 * dice_below(dice, 8)); break;
    default: break;
    }
    return b;
}

static void some_parts(uint64_t *dice, ki_piece *p) {
    for (uint32_t i = 0; i < p->count; i++) {
        p->parts[i].hi = (ki_bound){ i * (UINT64_MAX / 32) + dice_below(dice, 1 << 30), 0 };
        p->parts[i].count = some_size(dice);
        p->parts[i].print = dice_roll(dice);
    }
}

static void some_cells(uint64_t *dice, ki_piece *p) {
    p->start = CELLS_STEP * (uint32_t) dice_below(dice, 40);
    p->count = CELLS_STEP * (1 + (uint32_t) dice_below(dice, 4));
    for (uint32_t i = 0; i < p->count; i++) {
        p->cells[i].sum = dice_roll(dice);
        p->cells[i].check = (uint32_t) dice_roll(dice);
        p->cells[i].count = (int32_t) dice_below(dice, 2000) - 1000;
    }
}

static void some_piece(uint64_t *dice, uint8_t type, ki_piece *ret) {
    *ret = (ki_piece){ .kind = (uint8_t) dice_below(dice, type == FRAME_ASK ? 5 : 7) };
    ki_bound a = some_bound(dice), b = some_bound(dice);
    ret->lo = ki_bound_order(a, b) > 0 ? b : a;
    ret->hi = ki_bound_order(a, b) > 0 ? a : b;
    ret->rid = (uint32_t) (some_size(dice) >> 32);
    ret->total = 1 + some_size(dice) / 2;
    ret->reason = (uint8_t) dice_below(dice, 3);
    some_bytes(dice, ret->root, ROOT_SIZE);
    ret->count = 1 + (uint32_t) dice_below(dice, 20);
    if (ret->kind == (type == FRAME_ASK ? ASK_CELLS : TELL_CELLS)) {
        some_cells(dice, ret);
    } else if (type == FRAME_TELL && ret->kind == TELL_SPLIT) {
        some_parts(dice, ret);
    } else {
        for (uint32_t i = 0; i < ret->count; i++) ret->tags[i] = dice_roll(dice);
    }
}

static void some_hello(uint64_t *dice, ki_writer *w) {
    static const ki_pattern lists[][3] = { { ">", ">", ">" },
        { "a.x", "iot.hvac.>", "b.*.c" } };
    ki_hello h = { .answer = dice_below(dice, 2) == 0 };
    h.boundary = (uint32_t) dice_roll(dice);
    h.stored = some_size(dice);
    h.count = some_size(dice);
    some_bytes(dice, h.key, sizeof h.key);
    some_bytes(dice, h.ephemeral, sizeof h.ephemeral);
    some_bytes(dice, h.root, sizeof h.root);
    const ki_pattern *list = lists[dice_below(dice, 2)];
    ki_patterns_of(&h.patterns, list, 1 + dice_below(dice, 3));
    ki_frame_hello(w, &h);
    some_bytes(dice, w->bytes + w->length, FRAME_SIGNATURE);
    w->length += FRAME_SIGNATURE;
}

static void some_keys(uint64_t *dice, ki_writer *w) {
    ki_keys k = { .epoch = some_size(dice) };
    uint64_t at = 0;
    k.count = 1 + (uint32_t) dice_below(dice, 20);
    wire_put64(k.source, dice_roll(dice));
    for (uint32_t i = 0; i < k.count; i++) {
        k.runs[i].first = at + dice_below(dice, 1000);
        k.runs[i].length = 1 + dice_below(dice, 300);
        at = k.runs[i].first + k.runs[i].length;
    }
    (void) !ki_frame_keys(w, &k);
}

static void some_frame(uint64_t *dice, uint8_t type, ki_writer *w) {
    ki_head head = { .type = type };
    uint64_t one = dice_below(dice, 2), to = dice_roll(dice);
    head.to = one ? to : 0;
    head.from = dice_roll(dice) | 1;
    head.nonce = dice_roll(dice);
    head.scope = (uint32_t) dice_roll(dice);
    head.floor = (uint32_t) dice_roll(dice);
    uint8_t key[32] = { (uint8_t) dice_roll(dice) };
    ki_frame_begin(w, &head);
    if (type == FRAME_HELLO) {
        some_hello(dice, w);
    } else if (type == FRAME_KEYS) {
        some_keys(dice, w);
    } else {
        for (uint64_t n = 1 + dice_below(dice, 6); n > 0 || w->pieces == 0; n -= n > 0) {
            ki_piece p;
            some_piece(dice, type, &p);
            (void) !ki_frame_put(w, &p);
        }
        ki_frame_seal(w, key);
    }
}

static void spoil(uint64_t *dice, ki_writer *w) {
    switch (dice_below(dice, 4)) {
    case 0: w->length = dice_below(dice, w->length + 1); break;
    case 1:
        if (w->length < FRAME_MAX) w->bytes[w->length++] = (uint8_t) dice_below(dice, 8);
        break;
    default:
        for (uint64_t n = 1 + dice_below(dice, 3); n > 0; n--) {
            uint64_t at = dice_below(dice, 4) == 0 ? dice_below(dice, w->length)
                                                   : FRAME_HEAD + dice_below(dice, 24);
            if (at < w->length) w->bytes[at] = (uint8_t) dice_roll(dice);
        }
    }
}

static int stream(uint64_t dice, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        ki_writer w;
        some_frame(&dice, (uint8_t) (1 + dice_below(&dice, 4)), &w);
        if (dice_below(&dice, 5) < 3) spoil(&dice, &w);
        show(w.bytes, w.length);
        putchar('\n');
    }
    return 0;
}

/* What follows from a nonce: of these items, their salted root, prints and tags,
 * and the cells of their tags. */
static void derived(uint64_t *dice) {
    ki_salt salt;
    ki_sum sum = { 0 };
    ki_cell cells[24] = { 0 };
    uint64_t nonce = dice_roll(dice);
    uint8_t root[ROOT_SIZE];
    ki_salt_of(nonce, &salt);
    printf("{\"nonce\":\"%016llx\",\"ids\":[", (unsigned long long) nonce);
    for (int i = 0; i < 20; i++) {
        ki_item item = { .id = { dice_roll(dice) } };
        ki_sum one;
        item.id[1] = dice_roll(dice);
        ki_sum_of(&item, &one);
        ki_sum_add(&sum, &one);
        uint64_t tag = ki_salted_tag(&salt, &item);
        ki_cells_put(cells, 0, 24, tag, ki_salted_check(&salt, tag), 1);
        printf("%s[\"%016llx%016llx\",\"%016llx\"]", i ? "," : "",
            (unsigned long long) item.id[0], (unsigned long long) item.id[1],
            (unsigned long long) tag);
    }
    ki_salted_root(&salt, &sum, root);
    printf("],\"root\":");
    hex(root, ROOT_SIZE);
    show_cells(cells, 24);
    putchar('}');
}

static void scopes(void) {
    static const ki_pattern all = ">", two[] = { "b.>", "a.x" };
    uint8_t low[32] = { 1 }, high[32] = { 2 };
    ki_patterns p, q;
    ki_scope same, other, turned;
    ki_patterns_of(&p, &all, 1);
    ki_patterns_of(&q, two, 2);
    ki_scope_of(&same, low, &q, high, &q);
    ki_scope_of(&other, low, &p, high, &q);
    ki_scope_of(&turned, high, &q, low, &p);
    printf(",\n\"scopes\":{\"same\":\"%08x\",\"other\":\"%08x\",\"turned\":\"%08x\"}",
        same.hash, other.hash, turned.hash);
}

static int golden(void) {
    uint64_t dice = 20261121;
    printf("{\"frames\":[\n");
    for (int i = 0; i < 24; i++) {
        ki_writer w;
        some_frame(&dice, (uint8_t) (1 + i % 4), &w);
        show(w.bytes, w.length);
        printf(i < 23 ? ",\n" : "],\n\"derived\":[\n");
    }
    for (int i = 0; i < 3; i++) {
        derived(&dice);
        printf(i < 2 ? ",\n" : "]");
    }
    scopes();
    printf("}\n");
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "golden") == 0) return golden();
    if (argc == 4 && strcmp(argv[1], "stream") == 0) {
        return stream(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    }
    return 2;
}
