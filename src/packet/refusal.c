/* SPDX-License-Identifier: Apache-2.0 */
/* The reason of a refusal in two forms: a counter's name and words. */
#include <kith/packet.h>

#define REFUSALS  (KITH_R_LENGTH - KITH_R_LAST + 1)
#define ROW(code) [KITH_R_LENGTH - (code)]

static const struct {
    const char *counter, *words;
} rows[] = {
    ROW(KITH_R_LENGTH) = { "bad_len", "too short, too long, or bytes left over" },
    ROW(KITH_R_VERSION) = { "bad_version", "a packet version we do not know" },
    ROW(KITH_R_TYPE) = { "bad_type", "no such type of packet" },
    ROW(KITH_R_FLAGS) = { "bad_flags", "unknown flag bits" },
    ROW(KITH_R_PARTS) = { "bad_parts", "its parts do not belong together" },
    ROW(KITH_R_ORDER) = { "bad_order", "epoch or sequence out of range" },
    ROW(KITH_R_TIME) = { "bad_time", "end time, span or ttl out of range" },
    ROW(KITH_R_SUBJECT) = { "bad_subject", "not a subject" },
    ROW(KITH_R_MEASURE) = { "bad_measure", "no such measure or number of components" },
    ROW(KITH_R_COUNT) = { "bad_count", "n, hits or tries out of range" },
    ROW(KITH_R_NUMBER) = { "bad_number",
        "a number that is NaN, infinite, denormal, -0 or too large" },
    ROW(KITH_R_VARIANCE) = { "bad_variance",
        "variance out of range or covariance not positive definite" },
    ROW(KITH_R_CONFIDENCE) = { "bad_confidence", "confidence outside 0..1" },
    ROW(KITH_R_CONTEXT) = { "bad_context", "no context numbers, or too many" },
    ROW(KITH_R_PRIVACY) = { "bad_privacy", "privacy mechanism, rho or noise out of range" },
    ROW(KITH_R_TEXT) = { "bad_text",
        "text is empty, too long, not UTF-8, or has control characters" },
    ROW(KITH_R_DIGEST) = { "bad_digest", "a field of the digest is out of range" },
    ROW(KITH_R_SKETCH) = { "bad_sketch", "a register of the sketch is above 57" },
    ROW(KITH_R_ROOM) = { "no_room", "it does not fit 512 bytes" },
    ROW(KITH_R_SIGNATURE) = { "bad_sig", "the signature is not the source's" },
    ROW(KITH_R_FUTURE) = { "future", "its time is more than 60 s ahead of our clock" },
    ROW(KITH_R_EXPIRED) = { "expired", "its time to live is over" },
    ROW(KITH_R_ADDRESS) = { "bad_address", "the carrier's address is not the signed one" },
    ROW(KITH_R_EQUIVOCATION) = { "equivocation",
        "its source signed two packets with one sequence number" },
    ROW(KITH_R_RETRACTED) = { "retracted", "its source took it back" },
    ROW(KITH_R_UNIT) = { "bad_unit", "effect or error does not fit the template's unit" },
    ROW(KITH_R_CONCLUSION) = { "bad_conclusion", "conclusion 0 is none" },
    ROW(KITH_R_UNSIGNED) = { "unsigned",
        "a packet of an older program has no signature: shown, never stored" },
};
_Static_assert(sizeof rows / sizeof *rows == REFUSALS, "a row for each refusal");

static bool refusal(int code) {
    return code <= KITH_R_LENGTH && code >= KITH_R_LAST;
}

const char *kith_refusal_counter(int code) {
    return refusal(code) ? rows[KITH_R_LENGTH - code].counter : NULL;
}

const char *kith_refusal_words(int code) {
    return refusal(code) ? rows[KITH_R_LENGTH - code].words : NULL;
}
