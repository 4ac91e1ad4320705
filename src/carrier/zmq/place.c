/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/zmq/place.h"

#include "base/check.h"
#include "base/fail.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* 1..65535 at text, digits only. Returns how many bytes, or 0. */
static size_t read_number(const char *text, size_t length, long most, uint16_t *ret) {
    long n = 0;
    size_t i = 0;
    while (i < length && i < 5 && text[i] >= '0' && text[i] <= '9') {
        n = n * 10 + (text[i++] - '0');
    }
    if (i == 0 || n > most) {
        return 0;
    }
    *ret = (uint16_t) n;
    return i;
}

static int bad(kith_error *err, const char *text, size_t length, const char *why) {
    return ki_fail(
        err, KITH_E_CONFIG, "'%.*s': %s", (int) (length < 80 ? length : 80), text, why);
}

/* "127.0.0.1:24550" or "127.0.0.1:40001:40007" */
static int parse_tcp(ki_zmq_place *p, const char *text, size_t length, kith_error *err) {
    const char *colon = memchr(text, ':', length);
    struct in_addr address;
    size_t n = colon == NULL ? length : (size_t) (colon - text);
    bool named = n == 9 && memcmp(text, "localhost", 9) == 0;
    if (n == 0 || n >= sizeof p->host) {
        return bad(err, text, length, "write 127.0.0.1:PORT, or /FOLDER");
    }
    bool all = n == 1 && text[0] == '*'; /* as libzmq writes it */
    memcpy(p->host, named ? "127.0.0.1" : all ? "0.0.0.0" : text, all ? 7 : n);
    if (strlen(p->host) != (all ? 7 : n) || inet_pton(AF_INET, p->host, &address) != 1) {
        return bad(err, text, length, "write 127.0.0.1:PORT, or /FOLDER");
    }
    if (ntohl(address.s_addr) >> 24 != 127) {
        return ki_fail(err, KITH_E_NOTSUP,
            "'%.*s' is reached by other machines, and links have no keys yet to tell who "
            "is there: use 127.0.0.1:PORT, or /FOLDER, or carry it over with ssh -L",
            (int) n, text);
    }
    memset(p->host, 0, sizeof p->host); /* all bytes count */
    (void) inet_ntop(AF_INET, &address, p->host, sizeof p->host);
    size_t at = n + 1, digits;
    digits = at < length ? read_number(text + at, length - at, 65534, &p->live) : 0;
    at += digits;
    p->sync = (uint16_t) (p->live + 1);
    if (digits > 0 && at < length && text[at] == ':') {
        digits = read_number(text + at + 1, length - at - 1, 65535, &p->sync);
        at += 1 + digits;
    }
    if (digits == 0 || at != length || p->live == 0 || p->sync == 0) {
        return bad(err, text, length, "a port is a number from 1 to 65534");
    }
    return 0;
}

/* "/run/kith/bus" or "/run/kith/bus#7" */
static int parse_ipc(ki_zmq_place *p, const char *text, size_t length, kith_error *err) {
    const char *mark = memchr(text, '#', length);
    size_t n = mark == NULL ? length : (size_t) (mark - text);
    while (n > 1 && text[n - 1] == '/') {
        n--;
    }
    if (n < 2 || n > ZMQ_FOLDER_MAX) {
        return ki_fail(err, KITH_E_CONFIG,
            "'%.*s': a folder for sockets has 2 to %d bytes in its name",
            (int) (n < 80 ? n : 80), text, ZMQ_FOLDER_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char) text[i] <= ' ' || text[i] == ',' || text[i] == '*') {
            return bad(err, text, length, "no blanks, commas or stars here");
        }
    }
    memcpy(p->folder, text, n);
    if (mark != NULL) {
        size_t at = (size_t) (mark - text) + 1;
        size_t digits = read_number(text + at, length - at, ZMQ_SLOTS - 1, &p->live);
        if (digits == 0 || at + digits != length) {
            return bad(err, text, length, "after # stands a number from 0 to 63");
        }
    }
    p->sync = p->live;
    return 0;
}

int ki_zmq_place_parse(
    ki_zmq_place *ret, const char *text, size_t length, kith_error *err) {
    CHECK(ret != NULL);
    ki_zmq_place p;
    memset(&p, 0, sizeof p);
    int r = length > 0 && text[0] == '/' ? parse_ipc(&p, text, length, err)
                                         : parse_tcp(&p, text, length, err);
    if (r == 0) {
        *ret = p;
    }
    return r;
}

void ki_zmq_place_text(const ki_zmq_place *p, char ret[ZMQ_PLACE_MAX + 1]) {
    int n;
    if (p->host[0] == '\0') {
        n = snprintf(ret, ZMQ_PLACE_MAX + 1, p->live == 0 ? "%s" : "%s#%u", p->folder,
            (unsigned) p->live);
    } else if (p->sync == p->live + 1) {
        n = snprintf(ret, ZMQ_PLACE_MAX + 1, "%s:%u", p->host, (unsigned) p->live);
    } else {
        n = snprintf(ret, ZMQ_PLACE_MAX + 1, "%s:%u:%u", p->host, (unsigned) p->live,
            (unsigned) p->sync);
    }
    CHECK(n > 0 && n <= ZMQ_PLACE_MAX);
}

static void endpoint(const ki_zmq_place *p, uint16_t number, const char *tail, char *ret) {
    int n = p->host[0] != '\0' ? snprintf(ret, ZMQ_ENDPOINT_SIZE, "tcp://%s:%u", p->host,
                                     (unsigned) number)
                               : snprintf(ret, ZMQ_ENDPOINT_SIZE, "ipc://%s/%u.%s",
                                     p->folder, (unsigned) number, tail);
    CHECK(n > 0 && n < ZMQ_ENDPOINT_SIZE);
}

void ki_zmq_place_live(const ki_zmq_place *p, char ret[ZMQ_ENDPOINT_SIZE]) {
    endpoint(p, p->live, "live", ret);
}

void ki_zmq_place_sync(const ki_zmq_place *p, char ret[ZMQ_ENDPOINT_SIZE]) {
    endpoint(p, p->sync, "sync", ret);
}

bool ki_zmq_place_same(const ki_zmq_place *a, const ki_zmq_place *b) {
    return memcmp(a, b, sizeof *a) == 0;
}
