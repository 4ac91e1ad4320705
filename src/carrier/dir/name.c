/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/dir/name.h"

#include "base/check.h"
#include "base/hash.h"

#include <kith/address.h>

#include <string.h>

#define HEX   "0123456789abcdef" /* lower case only: FAT keeps it, and folds no digit */
#define TOKEN "abcdefghijklmnopqrstuvwxyz0123456789_-"

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 digits and ".kp", and no more: asked for each file at each look. */
static bool is_packet(const char *name, uint8_t ret_id[DIR_ID_SIZE]) {
    uint8_t id[DIR_ID_SIZE];
    for (size_t i = 0; i < DIR_ID_SIZE; i++) {
        int high = digit(name[2 * i]), low = high < 0 ? -1 : digit(name[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        id[i] = (uint8_t) (high << 4 | low);
    }
    if (strcmp(name + 2 * sizeof id, ".kp") != 0) {
        return false;
    }
    memcpy(ret_id, id, sizeof id);
    return true;
}

int ki_dir_kind(const char *name, uint8_t ret_id[DIR_ID_SIZE]) {
    if (is_packet(name, ret_id)) {
        return DIR_PACKET;
    }
    size_t n = strnlen(name, 256), hex = strspn(name, HEX);
    if (n == 2 && hex == 2) {
        return DIR_SHARD;
    }
    if (n >= 2 && n <= KITH_SUBJECT_MAX + 1 && name[n - 1] == '=' &&
        strspn(name, TOKEN) == n - 1) {
        return DIR_TOKEN;
    }
    return n >= 4 && strcmp(name + n - 3, ".kp") == 0 ? DIR_COPY : DIR_OTHER;
}

void ki_dir_path(const char *subject, uint8_t shard, char ret_path[DIR_PATH_SIZE]) {
    size_t at = 0;
    for (const char *p = subject; *p != '\0';) {
        size_t n = strcspn(p, ".");
        CHECK(at + n + 2 + 3 <= DIR_PATH_SIZE);
        memcpy(ret_path + at, p, n);
        at += n;
        ret_path[at++] = '=';
        ret_path[at++] = '/';
        p += n + (p[n] == '.');
    }
    ki_hex(&shard, 1, ret_path + at);
}

bool ki_dir_unpath(const char *path, char ret_subject[KITH_SUBJECT_MAX + 1]) {
    char subject[KITH_SUBJECT_MAX + 1];
    size_t at = 0;
    for (;;) {
        size_t n = strcspn(path, "/");
        if (path[n] == '\0') { /* the shard, last */
            break;
        }
        if (n < 2 || path[n - 1] != '=' || at + n > sizeof subject ||
            memchr(path, '.', n) != NULL) { /* a dot would make two tokens of one */
            return false;
        }
        memcpy(subject + at, path, n - 1);
        at += n - 1;
        subject[at++] = '.';
        path += n + 1;
    }
    if (at == 0 || strlen(path) != 2 || strspn(path, HEX) != 2) {
        return false;
    }
    subject[at - 1] = '\0';
    if (!kith_subject_valid(subject)) {
        return false;
    }
    memcpy(ret_subject, subject, at);
    return true;
}

void ki_dir_id(const void *bytes, size_t size, uint8_t ret_id[DIR_ID_SIZE]) {
    uint8_t hash[32];
    ki_sha256_of(bytes, size, hash);
    memcpy(ret_id, hash, DIR_ID_SIZE);
}

void ki_dir_name(const uint8_t id[DIR_ID_SIZE], char ret_name[DIR_NAME_SIZE]) {
    ki_hex(id, DIR_ID_SIZE, ret_name);
    memcpy(ret_name + 2 * DIR_ID_SIZE, ".kp", 4);
}
