/* SPDX-License-Identifier: Apache-2.0 */
/* The suite: what was taken and what was lost is told; what is past comes to who asks. */
#include <kith/carrier.h>

#include "carrier/suite.h"
#include "carrier/suite_help.h"

void settles_everything_it_took(void) {
    realm r = realm_new();
    kith_link *l = realm_open(&r);
    batch b = { .subject = "a", .first = 1, .count = MANY, .fill = fill_number };
    EXPECT(batch_send(l, &b));
    EXPECT_INT(b.settled, MANY);
    EXPECT(bends(l) || b.failures == 0);
    uint64_t through = 77;
    EXPECT_INT(kith_link_settle(l, &through, NULL), KITH_EMPTY);
    EXPECT_INT(through, 77);
    kith_counters c;
    kith_link_counters(l, &c);
    EXPECT(c.posted >= MANY && c.settled >= MANY && c.settled <= c.posted);
    kith_link_close(&l);
    realm_free(&r);
}

/* Rule 4: what did not come is counted, or still to come. */
void nothing_is_lost_in_silence(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *slow = realm_open(&r);
    const size_t flood = strcmp(kith_link_scheme(slow), "mem") == 0 ? 3000 : 900;
    EXPECT_INT(kith_link_follow(slow, "flood"), 0);
    batch b = { .subject = "flood", .first = 1, .count = flood, .fill = fill_number };
    EXPECT(batch_send(from, &b));
    tally t = { .expect = flood };
    EXPECT(tally_drain(&t, slow));
    kith_counters c;
    kith_link_counters(slow, &c);
    EXPECT_INT(t.gaps > 0, c.lost > 0);
    EXPECT(bends(slow) || t.distinct + c.lost == flood);
    EXPECT(lossy(slow) || !bends(slow) || t.distinct == flood);
    kith_link_close(&from);
    kith_link_close(&slow);
    realm_free(&r);
}

void sync_frames_go_where_they_can(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    kith_posting p = {
        .kind = KITH_ITEM_SYNC, .length = 5, .bytes = (const uint8_t *) "KSabc"
    };
    if (!(kith_link_can(from) & KITH_CAN_SYNC)) {
        EXPECT_INT(kith_link_post(from, &p), KITH_E_NOTSUP);
    } else {
        kith_item item = { 0 };
        bool came = false; /* follows nothing: frames come all the same */
        for (int i = 0; i < 100 && !came; i++) {
            int posted = kith_link_post(from, &p);
            EXPECT(posted == 0 || posted == KITH_FULL);
            came = await(to, &item, false);
        }
        EXPECT(came);
        EXPECT_INT(item.kind, KITH_ITEM_SYNC);
        EXPECT_INT(item.length, 5);
        EXPECT(memcmp(item.bytes, "KSabc", 5) == 0);
        EXPECT(item.from.subject[0] == '\0');
    }
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

void a_late_joiner_begins_where_it_likes(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *late = NULL;
    batch b = { .subject = "past", .first = 1, .count = MANY, .fill = fill_number };
    EXPECT(batch_send(from, &b));
    late = realm_open(&r);
    EXPECT_INT(kith_link_follow(late, "past"), 0);
    tally none = { 0 }, all = { .expect = MANY };
    EXPECT(tally_drain(&none, late));
    EXPECT_INT(none.distinct, 0);
    int want = kith_link_can(late) & KITH_CAN_REPLAY ? 0 : KITH_E_NOTSUP;
    EXPECT_INT(kith_link_rewind(late, &(kith_position){ .kind = KITH_FROM_START }), want);
    if (want == 0) {
        EXPECT(tally_drain(&all, late));
        EXPECT_INT(all.distinct, MANY);
        EXPECT_INT(kith_link_rewind(late, &(kith_position){ .kind = KITH_FROM_START }), 0);
        EXPECT_INT(kith_link_rewind(late, &(kith_position){ .kind = KITH_FROM_NOW }), 0);
        tally now = { .expect = 1 };
        b = (batch){
            .subject = "past", .first = MANY + 1, .count = 1, .fill = fill_number
        };
        EXPECT(batch_send(from, &b));
        EXPECT(tally_drain(&now, late));
        EXPECT_INT(now.distinct, 1);
    }
    kith_link_close(&from);
    kith_link_close(&late);
    realm_free(&r);
}

/* Pulls `count` distinct ones, acks them if told so, and says how far that is. */
static bool take(kith_link *l, size_t count, bool ack, kith_position *ret) {
    tally t = { .expect = count };
    kith_item item;
    while (t.distinct < count && await(l, &item, false)) {
        (void) tally_note(&t, number_of(&item));
        if (ack) kith_link_ack(l, item.token);
    }
    return t.distinct == count && (!ack || kith_link_cursor(l, ret));
}

void goes_on_from_its_cursor(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    if (!(kith_link_can(to) & KITH_CAN_DURABLE) || bends(to)) {
        kith_link_close(&from);
        kith_link_close(&to);
        realm_free(&r);
        SKIP("no durable place in the order posted here");
    }
    kith_position at = { 0 }, other = { 0 };
    kith_link *fresh = NULL; /* reads from now on: no place to name yet */
    EXPECT_INT(kith_link_open(&fresh, r.url, NULL, NULL), 0);
    EXPECT(!kith_link_cursor(fresh, &at));
    kith_link_close(&fresh);
    EXPECT_INT(kith_link_follow(to, "a.*"), 0);
    batch b = { .subject = "a.b", .first = 1, .count = MANY, .fill = fill_number };
    EXPECT(batch_send(from, &b));
    EXPECT(take(to, 100, true, &at));
    EXPECT_INT(at.kind, KITH_FROM_CURSOR);
    EXPECT(take(to, 50, false, NULL)); /* rule 6: these come again */
    EXPECT(kith_link_cursor(to, &other));
    EXPECT(memcmp(at.cursor, other.cursor, at.length) == 0);
    kith_link_close(&to);
    b = (batch){ .subject = "a.b", .first = MANY + 1, .count = 10, .fill = fill_number };
    EXPECT(batch_send(from, &b)); /* while we were away */
    to = realm_open(&r);
    EXPECT_INT(kith_link_follow(to, "a.*"), 0);
    EXPECT_INT(kith_link_rewind(to, &at), 0);
    tally t = { .expect = MANY + 10 - 100 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, t.expect);
    EXPECT_INT(t.lowest, 101);
    EXPECT_INT(t.repeats, 0);
    at.cursor[0] ^= 1; /* another medium's */
    EXPECT_INT(kith_link_rewind(to, &at), KITH_E_MISSING);
    at.length = 1;
    EXPECT_INT(kith_link_rewind(to, &at), KITH_E_MISSING);
    at.length = KITH_CURSOR_MAX + 1;
    EXPECT_INT(kith_link_rewind(to, &at), KITH_E_ARG);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

void keeps_a_repeated_packet_once(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    if (!(kith_link_can(from) & KITH_CAN_DEDUPE)) {
        kith_link_close(&from);
        kith_link_close(&to);
        realm_free(&r);
        SKIP("repeats are the node's business here");
    }
    for (int i = 0; i < 20; i++) {
        batch b = { .subject = "a", .first = 1, .count = 1, .fill = fill_number };
        EXPECT(batch_send(from, &b));
    }
    EXPECT_INT(kith_link_follow(to, "a"), 0);
    EXPECT_INT(kith_link_rewind(to, &(kith_position){ .kind = KITH_FROM_START }), 0);
    tally t = { .expect = 1 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 1);
    EXPECT(bends(to) || t.repeats == 0);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}
