/* SPDX-License-Identifier: Apache-2.0 */
/* The medium breaks in the middle of a post, and comes back: nothing is lost,
 * nothing counts twice, and no part of a packet is taken for one. */
#include "cli/conform/check.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a reader must have seen after the medium came back. */
static void all_whole(world *w, site *a, site *b, uint64_t count) {
    GOOD(w, until_holds(b, ">", count) && world_rest(w));
    WANT_INT(w, b->accepted, count);
    WANT_INT(w, site_refused_all(b), 0);
    WANT(w, digests_equal(a, b));
}

/* The poster's wire breaks in one post of thirty, and tells of it only then. */
static void wire_cut(world *w) {
    size_t count = w->slow ? 5000 : 300;
    site *a = site_new(w), *b = site_new(w);
    char url[KITH_URL_MAX + 1];
    world_bulk(w);
    snprintf(url, sizeof url, "fault+%.900s%ccut=3&cut_for=10&seed=%u", w->plain,
        strchr(w->plain, '?') == NULL ? '?' : '&', (unsigned) w->seed);
    site_link(a, url);
    GOOD(w, site_up(a) && site_up(b));
    for (size_t i = 0; i < count; i += 20) {
        GOOD(w, post_many(a, "torn.wire", 20));
        WANT(w, world_turn(w) >= 0);
    }
    all_whole(w, a, b, count);
    WANT(w, a->downs > 0);
    world_by(w, false);
}

/* ---- files that may not grow: a write stops in the middle ---- */

static off_t largest;

static int see_size(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void) path;
    (void) at;
    if (type == FTW_F && st->st_size > largest) {
        largest = st->st_size;
    }
    return 0;
}

static kith_content long_leaf(world *w) {
    kith_content c = leaf(w, "torn.disk");
    c.has |= KITH_HAS_TEXT;
    c.text_length = KITH_TEXT_MAX;
    memset(c.text, 'm', KITH_TEXT_MAX);
    return c;
}

/* Posts until the link has failed. */
static bool post_into_it(world *w, site *a, uint64_t *count) {
    bool good = true;
    for (int lot = 0; lot < 200 && good && a->downs == 0; lot++) {
        for (int i = 0; i < 10 && good; i++) {
            kith_content c = long_leaf(w);
            good = post(a, &c);
            *count += good;
        }
        for (int i = 0; i < 10 && good; i++) {
            good = world_turn(w) >= 0;
        }
    }
    return good;
}

static void disk_breaks(world *w) {
    if (!world_keeps(w)) {
        world_skip(w, "no file of ours to break: see the wire that is cut");
        return;
    }
    site *a = site_new(w), *b = site_new(w);
    uint64_t count = 20;
    GOOD(w, site_up(a) && site_up(b) && post_many(a, "torn.disk", count));
    GOOD(w, until_holds(b, ">", count));
    struct rlimit before, small;
    WANT_INT(w, getrlimit(RLIMIT_FSIZE, &before), 0);
    largest = 0;
    (void) !nftw(w->folder, see_size, 16, FTW_PHYS);
    if (largest == 0) {
        world_skip(w, "nothing of it lies on a disk");
        return;
    }
    small =
        (struct rlimit){ .rlim_cur = (rlim_t) largest + 100, .rlim_max = before.rlim_max };
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    bool good = setrlimit(RLIMIT_FSIZE, &small) == 0 && post_into_it(w, a, &count);
    WANT_INT(w, setrlimit(RLIMIT_FSIZE, &before), 0);
    (void) signal(SIGXFSZ, handler);
    GOOD(w, good);
    WANT(w, a->downs > 0);
    all_whole(w, a, b, count);
    world_by(w, true);
}

/* ---- a file that came by half ---- */

static char packet_folder[PATH_SIZE + 200];

static int see_packet(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void) st;
    size_t length = strlen(path);
    if (type == FTW_F && length > 3 && strcmp(path + length - 3, ".kp") == 0) {
        snprintf(packet_folder, sizeof packet_folder, "%.*s", at->base - 1, path);
    }
    return 0;
}

static bool put_part(const char *folder, const kith_packet *p, size_t length) {
    char path[sizeof packet_folder + 40], *end = path;
    uint8_t id[KITH_ID_SIZE];
    kith_packet_id(p, id);
    end += snprintf(path, sizeof path, "%s/", folder);
    for (int i = 0; i < 16; i++) {
        end += snprintf(end, 3, "%02x", id[i]);
    }
    snprintf(end, 4, ".kp");
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, p->bytes, length) == (ssize_t) length;
    return (fd < 0 || close(fd) == 0) && good;
}

static void half_a_file(world *w) {
    if (strcmp(w->scheme, "dir") != 0) {
        world_skip(w, "cannot occur: nobody but links can write here");
        return;
    }
    site *a = site_new(w), *b = site_new(w), *late = site_new(w);
    kith_content c = leaf(w, "torn.half"), first = leaf(w, "torn.half");
    kith_packet p;
    char aside[PATH_SIZE + 20];
    GOOD(w, site_up(a) && site_up(b) && post(a, &first) && until_holds(b, ">", 1));
    packet_folder[0] = '\0';
    (void) !nftw(w->place, see_packet, 16, FTW_PHYS);
    snprintf(aside, sizeof aside, "%s/kith-1/.tmp", w->place);
    WANT(w, packet_folder[0] != '\0' && seal(245, 1, 1, &c, &p));
    GOOD(w, put_part(packet_folder, &p, p.length / 2) && put_part(aside, &p, p.length));
    GOOD(w, site_up(late) && until_holds(late, ">", 1) && world_rest(w));
    WANT_INT(w, holds(b, ">") + holds(late, ">"), 2);
    GOOD(w, put_part(packet_folder, &p, p.length));
    GOOD(w, until_holds(b, ">", 2) && until_holds(late, ">", 2) && world_rest(w));
    WANT_INT(w, site_refused_all(b) + site_refused_all(late), 0);
    WANT_INT(w, b->accepted, 2);
    world_by(w, true);
}

const check torn_checks[] = {
    { "a_wire_cut_in_a_post_loses_and_doubles_nothing", wire_cut, 0 },
    { "a_medium_that_breaks_in_a_post_tears_nothing", disk_breaks, 0 },
    { "what_was_written_by_half_is_never_read", half_a_file, 0 },
    { NULL, NULL, 0 },
};
