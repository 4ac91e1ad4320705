/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers from outside: a whole one works, and every other file is refused with
 * the reason, before any of its code runs where that can be seen. */
#include <kith/carrier.h>

#include "carrier/suite_help.h"
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[96];

/* A copy of a built plugin in a folder of our own. */
static const char *copied(const char *built, const char *as, mode_t mode) {
    static char to[256];
    char from[1024], bytes[4096];
    const char *where = getenv("KITH_PLUGINS");
    (void) snprintf(
        from, sizeof from, "%s/kith-carrier-%s.so", where == NULL ? "." : where, built);
    (void) snprintf(to, sizeof to, "%s/kith-carrier-%s.so", folder, as);
    (void) unlink(to);
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    if (in == NULL || out == NULL) abort();
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;) {
        if (fwrite(bytes, 1, n, out) != n) abort();
    }
    (void) fclose(in);
    if (fclose(out) != 0 || chmod(to, mode) != 0) abort();
    return to;
}

static void fresh_folder(void) {
    if (!test_folder(test_place(), "kith-plugin", folder, sizeof folder)) abort();
}

static void drop_folder(void) {
    (void) nftw(folder, realm_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static kith_host host_here(void) {
    return (kith_host){ .plugin_dir = folder };
}

static void a_whole_plugin_carries(void) {
    fresh_folder();
    (void) copied("sample", "sample", 0600);
    kith_host host = host_here();
    kith_link *l = NULL;
    kith_error err = { 0 };
    kith_item item;
    EXPECT_INT(kith_link_open(&l, "fault+sample://here?stamp=9&drop=0", &host, &err), 0);
    EXPECT(strcmp(kith_link_scheme(l), "sample") == 0);
    EXPECT_INT(kith_link_follow(l, "a.*"), 0);
    kith_posting p = posting_of("a.b", "xyz", 3);
    EXPECT_INT(kith_link_post(l, &p), 0);
    EXPECT_INT(kith_link_pull(l, &item), 0);
    EXPECT_INT(item.token, 9);
    EXPECT(memcmp(item.bytes, "xyz", 3) == 0);
    p = posting_of("b.b", "xyz", 3);
    EXPECT_INT(kith_link_post(l, &p), 0);
    EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY); /* the core filters for it */
    kith_link_close(&l);
    EXPECT_INT(kith_link_open(&l, "sample://here?stamp=101", &host, &err), KITH_E_CONFIG);
    EXPECT_INT(kith_link_open(&l, "sample://there", &host, &err), KITH_E_MISSING);
    EXPECT_INT(kith_link_open(&l, "sample://here?stmap=1", &host, &err), KITH_E_CONFIG);
    EXPECT(strstr(err.text, "did you mean stamp?") != NULL);
    EXPECT_INT(kith_link_open(&l, "sample://here", NULL, &err), KITH_E_NOTSUP);
    EXPECT_INT(kith_link_open(&l, "other://here", &host, &err), KITH_E_NOTSUP);
    EXPECT_INT(kith_link_open(&l, "../sample://here", &host, &err), KITH_E_NOTSUP);
    EXPECT(l == NULL);
    drop_folder();
}

static void refuses_abi_holes_and_wrong_names(void) {
    fresh_folder();
    (void) copied("oldabi", "oldabi", 0600);
    (void) copied("holed", "holed", 0600);
    (void) copied("misnamed", "misnamed", 0600);
    kith_host host = host_here();
    kith_link *l = NULL;
    kith_error err = { 0 };
    EXPECT_INT(kith_link_open(&l, "oldabi://here", &host, &err), KITH_E_NOTSUP);
    EXPECT(strstr(err.text, "ABI 2, not 1") != NULL);
    EXPECT_INT(kith_link_open(&l, "holed://here", &host, &err), KITH_E_NOTSUP);
    EXPECT(strstr(err.text, "lacks a member") != NULL);
    EXPECT_INT(kith_link_open(&l, "misnamed://here", &host, &err), KITH_E_NOTSUP);
    EXPECT(strstr(err.text, "is for 'sample'") != NULL);
    (void) copied("sample", "simple", 0600); /* as long, and another word */
    EXPECT_INT(kith_link_open(&l, "simple://here", &host, &err), KITH_E_NOTSUP);
    EXPECT(strstr(err.text, "is for 'sample'") != NULL);
    EXPECT(l == NULL);
    drop_folder();
}

static int look(const char *path, kith_error *err) {
    kith_plugin *plugin = NULL;
    const kith_carrier *c = NULL;
    int r = kith_plugin_open(&plugin, path, &c, err);
    if (r == 0 && strcmp(c->scheme, "sample") != 0) abort();
    kith_plugin_close(&plugin);
    return r;
}

static void refuses_what_others_could_have_written(void) {
    fresh_folder();
    kith_error err = { 0 };
    char link[256];
    const char *path = copied("sample", "sample", 0644);
    EXPECT_INT(look(path, &err), 0);
    EXPECT(chmod(path, 0664) == 0);
    EXPECT_INT(look(path, &err), KITH_E_DENIED);
    EXPECT(strstr(err.text, "writable by others") != NULL);
    EXPECT(chmod(path, 0602) == 0);
    EXPECT_INT(look(path, &err), KITH_E_DENIED);
    EXPECT(chmod(path, 0600) == 0);
    EXPECT(chmod(folder, 0777) == 0);
    EXPECT_INT(look(path, &err), KITH_E_DENIED);
    EXPECT(chmod(folder, 01777) == 0);
    EXPECT_INT(look(path, &err), KITH_E_DENIED);
    EXPECT(chmod(folder, 0700) == 0);
    EXPECT_INT(look(path, &err), 0);
    (void) snprintf(link, sizeof link, "%s/kith-carrier-link.so", folder);
    EXPECT(symlink(path, link) == 0);
    EXPECT_INT(look(link, &err), KITH_E_DENIED);
    EXPECT(strstr(err.text, "symlink") != NULL);
    if (geteuid() == 0) {
        EXPECT(chown(path, 65534, 0) == 0);
        EXPECT_INT(look(path, &err), KITH_E_DENIED);
        EXPECT(strstr(err.text, "neither root nor us") != NULL);
    }
    drop_folder();
}

static void refuses_what_is_no_shared_object(void) {
    fresh_folder();
    kith_error err = { 0 };
    char path[256];
    (void) snprintf(path, sizeof path, "%s/kith-carrier-x.so", folder);
    EXPECT_INT(look(path, &err), KITH_E_MISSING);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    EXPECT(fd >= 0 && write(fd, "#!/bin/sh\n", 10) == 10 && close(fd) == 0);
    EXPECT_INT(look(path, &err), KITH_E_NOTSUP);
    EXPECT(unlink(path) == 0 && mkdir(path, 0700) == 0);
    EXPECT_INT(look(path, &err), KITH_E_DENIED);
    EXPECT(rmdir(path) == 0 && mkfifo(path, 0600) == 0);
    EXPECT_INT(look(path, &err), KITH_E_DENIED); /* and does not wait for a writer */
    drop_folder();
}

static const test_case cases[] = {
    { "a_whole_plugin_carries", a_whole_plugin_carries },
    { "refuses_abi_holes_and_wrong_names", refuses_abi_holes_and_wrong_names },
    { "refuses_what_others_could_have_written", refuses_what_others_could_have_written },
    { "refuses_what_is_no_shared_object", refuses_what_is_no_shared_object },
};
TEST_MAIN(cases)
