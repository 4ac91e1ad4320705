/* SPDX-License-Identifier: Apache-2.0 */
/* Any URL, then any pattern: "url NUL pattern". What opens must also close, what
 * fails must say why. Places on the disk are only taken apart, not opened: the
 * fuzzer would make folders all over the machine. */
#include "carrier/carrier.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_have_words(int r, const kith_error *err) {
    if (r < 0 && (err->code != r || err->text[0] == '\0')) abort();
}

static void take_apart(const char *url) {
    char known[KITH_URL_MAX + 1], rest[KITH_URL_MAX + 1];
    kith_error err = { 0 };
    if (strlen(url) > KITH_URL_MAX) return;
    must_have_words(ki_url_check_names(url, &err), &err);
    const char *query = strchr(url, '?');
    ki_query_split(query == NULL ? NULL : query + 1, ki_fault_carrier.options, known, rest);
    if (query != NULL && strlen(known) + strlen(rest) > strlen(query)) abort();
}

static void open_and_use(const char *url, const char *pattern) {
    kith_link *l = NULL;
    kith_error err = { 0 };
    int r = kith_link_open(&l, url, NULL, &err);
    must_have_words(r, &err);
    if (r < 0) {
        if (l != NULL) abort();
        return;
    }
    kith_address to = { "a.b" };
    kith_posting p = { .kind = KITH_ITEM_PACKET, .length = 1, .to = &to };
    p.bytes = (const uint8_t *) "x";
    kith_item item;
    if (kith_link_follow(l, pattern) == 0 && kith_link_unfollow(l, pattern) != 0) abort();
    (void) !kith_link_follow(l, pattern);
    (void) !kith_link_post(l, &p);
    (void) !kith_link_pull(l, &item);
    kith_link_close(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *url = calloc(1, size + 2);
    if (url == NULL) {
        return 0;
    }
    if (size > 0) memcpy(url, data, size);
    take_apart(url);
    if (strstr(url, "dir:") == NULL && strstr(url, "sqlite:") == NULL &&
        strstr(url, "udp:") == NULL && strstr(url, "fifo:") == NULL && strlen(url) < 200 &&
        strstr(url, "ring=") == NULL) {
        open_and_use(url, url + strlen(url) + 1);
    }
    free(url);
    return 0;
}
