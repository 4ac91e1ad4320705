/* SPDX-License-Identifier: Apache-2.0 */
/* The wall clock may have been wrong: in this process, or in the last one. What it
 * made us refuse or pass over is then read, and given, once more. Three numbers in the
 * store: when we were last here; from when on a packet that was refused as lying in
 * the future will not do so any more; and how often we began anew, which is part of
 * the names of all reading cursors, so that those of a wrong clock are void. */
#include "node/node.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/wire.h"

#define CLOCK_NAME "clock"
#define DAY_US     INT64_C(86400000000)
/* An hour: whoever set the clock wrongly has that long to notice. */
#define PRUNE_AFTER_STEP_NS UINT64_C(3600000000000)
/* Whoever dates packets into the future makes us read everything no more often. */
#define AGAIN_NS UINT64_C(60000000000)

/* Lazily: what is lost with the power costs one look at everything, or one later. */
static void save(kith_node *n, kith_time now) {
    uint8_t bytes[24];
    wire_put64(bytes, (uint64_t) now.wall_us);
    wire_put64(bytes + 8, (uint64_t) n->again_us);
    wire_put64(bytes + 16, n->round);
    (void) !kith_store_save(n->store, CLOCK_NAME, bytes, sizeof bytes, false, NULL);
}

static bool is_time(const kith_node *n, kith_time now) {
    return n->again_us != 0 && now.wall_us >= n->again_us - LIMIT_FUTURE_US &&
           now.mono_ns >= n->again_ns;
}

static void start(kith_node *n, kith_time now) {
    n->clocks_us = now.wall_us - (int64_t) (now.mono_ns / 1000);
    save(n, now);
}

void ki_clock_open(kith_node *n, kith_time now) {
    uint8_t bytes[24];
    size_t length = 0;
    int r = kith_store_load(n->store, CLOCK_NAME, bytes, sizeof bytes, &length);
    bool known = r == 0 && length == sizeof bytes;
    int64_t last_us = known ? (int64_t) wire_get64(bytes) : 0;
    n->again_us = known ? (int64_t) wire_get64(bytes + 8) : 0;
    bool was_ahead = last_us > now.wall_us + LIMIT_FUTURE_US;
    n->round = known ? wire_get64(bytes + 16) : 0;
    n->round += was_ahead || is_time(n, now);
    n->again_us = is_time(n, now) ? 0 : n->again_us;
    /* After a day away nothing hurries; or it was no day, and the clock is wrong. */
    bool leapt = known && now.wall_us - last_us > DAY_US;
    n->prune_ns = leapt ? now.mono_ns + PRUNE_AFTER_STEP_NS : 0;
    start(n, now);
}

/* A packet that nobody signed will not be good then either. */
void ki_clock_refused(
    kith_node *n, const kith_packet *packet, int64_t t_end_us, kith_time now) {
    bool sooner = n->again_us == 0 || t_end_us < n->again_us;
    if (sooner && kith_packet_verify(packet) == 0) {
        n->again_us = t_end_us;
        save(n, now);
    }
}

/* A clock that is set makes all links begin anew; what expires now may have been
 * judged by a lie, and may stay for a while. */
void ki_clock_turn(kith_node *n, kith_time now) {
    int64_t step_us = now.wall_us - (int64_t) (now.mono_ns / 1000) - n->clocks_us;
    bool stepped = step_us > LIMIT_FUTURE_US || step_us < -LIMIT_FUTURE_US;
    n->clocks_us += step_us;
    if (stepped) {
        n->prune_ns = now.mono_ns + PRUNE_AFTER_STEP_NS;
    }
    if (stepped || is_time(n, now)) {
        n->again_us = is_time(n, now) ? 0 : n->again_us;
        n->again_ns = now.mono_ns + AGAIN_NS;
        n->round++;
        ki_links_reread(n, now, step_us < -LIMIT_FUTURE_US);
        save(n, now);
    }
}
