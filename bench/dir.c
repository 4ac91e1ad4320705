/* SPDX-License-Identifier: Apache-2.0 */
/* dir-scan: a folder full of packets that are new to us, found, read, checked for their
 * names and pulled, against find and cat over the same tree. Both find it in memory. */
#include "process.h"
#include "rows.h"
#include "sample.h"

#include <kith/carrier.h>
#include <poll.h>
#include <string.h>

#define PER_SUBJECT 5000

typedef struct dir {
    const bench *b;
    char place[600];
    uint64_t files;
} dir;

static int wait_for(kith_link *link) {
    struct pollfd p = { .fd = kith_link_wake_fd(link), .events = POLLIN };
    kith_link_tick(link, kith_time_now());
    return poll(&p, 1, 100) < 0 ? bench_failed("poll") : 0;
}

/* Everything is posted once, without waiting for the disk: only reading is measured. */
static int fill(dir *d) {
    char url[700];
    kith_link *link = NULL;
    kith_error err = { 0 };
    snprintf(url, sizeof url, "dir://%s?sync=none&max_files=10000000", d->place);
    if (kith_link_open(&link, url, NULL, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    uint64_t settled = 0;
    int r = 0;
    for (uint64_t i = 0; r == 0 && settled < d->files;) {
        kith_content content;
        kith_packet packet;
        sample_content(i, d->files / PER_SUBJECT + 1, SAMPLE_ASCII, &content);
        r = kith_packet_encode(&content, &packet);
        kith_posting p = { .kind = KITH_ITEM_PACKET,
            .length = packet.length,
            .bytes = packet.bytes,
            .to = &content.address,
            .expires_us = INT64_MAX,
            .ticket = i + 1 };
        int answer = i < d->files ? kith_link_post(link, &p) : KITH_FULL;
        i += answer == 0;
        if (r == 0 && answer == KITH_FULL) {
            int settle = kith_link_settle(link, &settled, &err);
            r = settle == KITH_EMPTY ? wait_for(link) : settle;
        } else if (r == 0) {
            r = answer;
        }
    }
    kith_link_close(&link);
    return r == 0 ? 0 : bench_failed("fill: %d %s", r, err.text);
}

static int pull_all(dir *d, kith_link *link) {
    kith_item item;
    for (uint64_t i = 0; i < d->files;) {
        int r = kith_link_pull(link, &item);
        if (r == KITH_EMPTY) {
            r = wait_for(link);
        } else if (r == 0) {
            kith_link_ack(link, item.token);
            i++;
        }
        if (r != 0) {
            return bench_failed("pull: %d after %d", r, (int) i);
        }
    }
    return 0;
}

static int run_ours(void *ctx, double *ret) {
    dir *d = ctx;
    char url[700];
    kith_link *link = NULL;
    kith_error err = { 0 };
    kith_position start = { .kind = KITH_FROM_START };
    snprintf(url, sizeof url, "dir://%s?max_files=10000000", d->place);
    if (kith_link_open(&link, url, NULL, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    kith_link_tick(link, kith_time_now());
    int r = kith_link_follow(link, ">");
    uint64_t begin = bench_ns();
    r = r == 0 ? kith_link_rewind(link, &start) : r;
    r = r == 0 ? pull_all(d, link) : r;
    *ret = (double) d->files / ((double) (bench_ns() - begin) / 1e9);
    kith_link_close(&link);
    return r == 0 ? 0 : bench_failed("the folder is not read: %d", r);
}

static int run_peer(void *ctx, double *ret) {
    dir *d = ctx;
    char find[] = "find", type[] = "-type", f[] = "f", exec[] = "-exec", cat[] = "cat",
         braces[] = "{}", plus[] = "+";
    char *argv[] = { find, d->place, type, f, exec, cat, braces, plus, NULL };
    double ns;
    if (process_run(argv, &ns) < 0) {
        return -1;
    }
    *ret = (double) d->files / (ns / 1e9);
    return 0;
}

int row_dir_scan(bench *b) {
    static dir d;
    static const bench_line line = { .name = "dir-scan",
        .what = "new files in a folder, found and read",
        .ours = 0,
        .peer = 1,
        .target = 3,
        .at_least = true };
    const bench_side sides[] = { { .name = "kith dir", .run = run_ours, .ctx = &d },
        { .name = "find and cat", .run = run_peer, .ctx = &d } };
    const bench_row row = { .unit = "files/s",
        .sides = sides,
        .side_count = 2,
        .lines = &line,
        .line_count = 1,
        .peer = "find TREE -type f -exec cat {} + of Debian's findutils and coreutils, "
                "output to /dev/null, the tree in the page cache" };
    d = (dir){ .b = b, .files = BENCH_BY(b, 300u, 10000u, 100000u) };
    snprintf(d.place, sizeof d.place, "%s/folder", b->dir);
    int r = fill(&d);
    return r < 0 ? r : bench_row_run(b, &row);
}
