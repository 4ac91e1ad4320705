/* SPDX-License-Identifier: Apache-2.0 */
#include "show.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

const char *show_hex(const void *bytes, size_t size) {
    static char text[4][2 * (KITH_PACKET_MAX + 8) + 1];
    static unsigned next;
    char *t = text[next++ % 4];
    ki_hex(bytes, size, t);
    return t;
}

static void numbers(const char *name, const double *x, size_t n) {
    printf("\"%s\":[", name);
    for (size_t i = 0; i < n; i++) printf("%s%.17g", i == 0 ? "" : ",", x[i]);
    printf("]");
}

/* Decimal, so that the reader must understand the sign. */
static void wide(kith_i128 x) {
    char digits[40];
    size_t n = sizeof digits;
    bool minus = x.high >> 63 != 0;
    if (minus) {
        x.low = ~x.low + 1;
        x.high = ~x.high + (x.low == 0);
    }
    do {
        uint64_t rest = 0;
        uint32_t part[4] = { (uint32_t) (x.high >> 32), (uint32_t) x.high,
            (uint32_t) (x.low >> 32), (uint32_t) x.low };
        for (int i = 0; i < 4; i++) {
            uint64_t v = rest << 32 | part[i];
            part[i] = (uint32_t) (v / 10);
            rest = v % 10;
        }
        x = (kith_i128){ (uint64_t) part[0] << 32 | part[1],
            (uint64_t) part[2] << 32 | part[3] };
        digits[--n] = (char) ('0' + rest);
    } while ((x.high | x.low) != 0);
    printf("\"%s%.*s\"", minus ? "-" : "", (int) (sizeof digits - n), digits + n);
}

static void digest(const kith_content *c) {
    printf(",\"digest\":{\"measure\":%u,\"level\":%u,\"prefix\":\"%s\",\"count\":%llu,"
           "\"sums\":[",
        c->digest.measure, c->digest.level, show_hex(c->digest.prefix, 16),
        (unsigned long long) c->digest.count);
    for (size_t i = 0; i < c->digest.components; i++) {
        printf("%s[", i == 0 ? "" : ",");
        for (size_t k = 0; k < 4; k++) {
            if (k > 0) printf(",");
            wide(c->digest.sums[i][k]);
        }
        printf("]");
    }
    printf("]}");
}

static void sketch(const uint8_t *s) {
    printf(",\"sketch\":[");
    for (size_t i = 0; i < 256; i++) {
        const uint8_t *b = s + i / 4 * 3;
        uint32_t four = (uint32_t) b[0] << 16 | (uint32_t) b[1] << 8 | b[2];
        printf("%s%u", i == 0 ? "" : ",", four >> (18 - i % 4 * 6) & 63);
    }
    printf("]");
}

static void parts(const kith_content *c) {
    if (c->has & KITH_HAS_EFFECT) {
        printf(",\"effect\":{\"measure\":%u,\"n\":%u,", c->measure, c->n);
        numbers("y", c->effect, c->components);
        printf("}");
    }
    if (c->has & KITH_HAS_COVARIANCE) {
        printf(",");
        numbers("covariance", c->covariance, c->components * (c->components + 1u) / 2);
    }
    if (c->has & KITH_HAS_COUNTS) printf(",\"counts\":[%u,%u]", c->hits, c->tries);
    if (c->has & KITH_HAS_CONFIDENCE)
        printf(",\"confidence\":%.17g", (double) c->confidence);
    if (c->has & KITH_HAS_CONTEXT16) {
        printf(",\"context16\":[");
        for (int i = 0; i < c->context16_count; i++) {
            printf("%s%u", i == 0 ? "" : ",", c->context16[i]);
        }
        printf("]");
    }
    if (c->has & KITH_HAS_CONTEXT8) {
        printf(",\"context8\":[");
        for (int i = 0; i < c->context8_count; i++) {
            printf("%s%d", i == 0 ? "" : ",", c->context8[i]);
        }
        printf("]");
    }
    if (c->has & KITH_HAS_PRIVACY) {
        printf(",\"privacy\":[%u,%.17g,%.17g]", c->mechanism, (double) c->rho,
            (double) c->v_dp);
    }
    if (c->has & KITH_HAS_CONCLUSION) printf(",\"conclusion\":%u", c->conclusion);
    if (c->has & KITH_HAS_TEXT)
        printf(",\"text\":\"%s\"", show_hex(c->text, c->text_length));
    if (c->has & KITH_HAS_DIGEST) digest(c);
    if (c->has & KITH_HAS_SKETCH) sketch(c->sketch);
}

static void fields(const kith_content *c) {
    printf("{\"type\":%u,\"flags\":%u,\"template\":\"%s\",\"source\":\"%s\"", c->type,
        c->has, show_hex(c->template_id, KITH_TEMPLATE_SIZE),
        show_hex(c->source, KITH_KEY_SIZE));
    printf(",\"epoch\":%llu,\"seq\":%llu,\"t_end\":%lld,\"span\":%u,\"ttl\":%u,"
           "\"subject\":\"%s\"",
        (unsigned long long) c->epoch, (unsigned long long) c->seq, (long long) c->t_end_us,
        c->span_s, c->ttl_s, c->address.subject);
    parts(c);
    printf(",\"signature\":\"%s\"}", show_hex(c->signature, KITH_SIGNATURE_SIZE));
}

/* {"hex":...,"refused":...} or {"hex":...,"fields":...,"signed":...} */
void show_packet(const uint8_t *bytes, size_t length, bool verify) {
    kith_content c;
    int r = kith_packet_decode(bytes, length, &c);
    printf("{\"hex\":\"%s\",", show_hex(bytes, length));
    if (r < 0) {
        printf("\"refused\":\"%s\"}", kith_refusal_counter(r));
        return;
    }
    if (verify) {
        kith_packet p = { .length = (uint16_t) length };
        uint8_t id[KITH_ID_SIZE], keyid[KITH_KEYID_SIZE];
        memcpy(p.bytes, bytes, length);
        kith_packet_id(&p, id);
        kith_keyid(c.source, keyid);
        printf("\"signed\":%s,\"id\":\"%s\",\"keyid\":\"%s\",",
            kith_packet_verify(&p) == 0 ? "true" : "false", show_hex(id, sizeof id),
            show_hex(keyid, sizeof keyid));
    }
    printf("\"fields\":");
    fields(&c);
    printf("}");
}
