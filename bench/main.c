/* SPDX-License-Identifier: Apache-2.0 */
/* kith-bench: each row of docs/performance.md is one kind; `all` runs them in order.
 * Exit: 0 every row ran (met or not), 1 a row could not be run, 64 usage. */
#include "rows.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 64

static const struct kind {
    const char *name, *help;
    int (*run)(bench *b);
} kinds[] = {
    { "codec-encode", "encode a packet; protobuf C++", row_codec_encode },
    { "codec-decode", "decode a packet; protobuf C++", row_codec_decode },
    { "sign", "seal a packet; libsodium", row_sign },
    { "verify", "verify a packet; libsodium", row_verify },
    { "mem-pull", "post to pull through mem; libzmq inproc", row_mem_pull },
    { "zmq-tcp", "post to pull through zmq:// on tcp; a bare libzmq loop", row_zmq_tcp },
    { "zmq-ipc", "post to pull through zmq:// on ipc; a bare libzmq loop", row_zmq_ipc },
    { "tcp", "post to pull through tcp://; libzmq tcp", row_tcp },
    { "unix", "post to pull through unix://; libzmq ipc", row_unix },
    { "store-post-64", "durable posts of 64 posters; bare SQLite", row_store_post_64 },
    { "store-post-1", "durable posts of one poster; bare SQLite", row_store_post_1 },
    { "prefix-disk", "50 packets by prefix; SQLite range query", row_prefix_disk },
    { "prefix-memory", "the same from memory:; SQLite range query", row_prefix_memory },
    { "checkpoint-tail", "p99.9 at 1,000 posts/s; bare SQLite", row_checkpoint_tail },
    { "dir-scan", "new files in a folder; find and cat", row_dir_scan },
    { "post-to-stored", "one node to another; Ed25519 checks alone", row_post_to_stored },
    { "fresh-node", "an empty node takes all; copy and verify", row_fresh_node },
    { "udp-paced", "a multicast group, repaired; bare sockets, the same pace",
        row_udp_paced },
    { "sums-add", "add one packet to the exact sums; plain doubles", row_sums_add },
    { "answer", "an answer from 1,000 packets; sorting 1,000 doubles", row_answer },
    { "answer-robust", "a robust answer from 10^6; sorting them", row_answer_robust },
    { "answer-cell", "an answer through sums of 10^6; of 10^3", row_answer_cell },
    { "reml", "a REML fit of 100 studies; metafor, where it is", row_reml },
    { "start", "kith --version; nats-server", row_start },
    { "idle", "an idle node, ready and resident; nats-server", row_idle },
    { "size", "the stripped command line; a limit", row_size },
};
#define KINDS (sizeof kinds / sizeof *kinds)

static int usage(FILE *to) {
    fprintf(to,
        "usage: kith-bench [--tiny|--quick|--full] [--json] [--out FILE] [--dir DIR]\n"
        "                  [--data DIR] [--kith PATH] KIND... | all\n\n"
        "Ours and a peer in turns, in one run; the ratio is the result.\n\n");
    for (size_t i = 0; i < KINDS; i++) {
        fprintf(to, "  %-16s %s\n", kinds[i].name, kinds[i].help);
    }
    fprintf(to, "\n  --full   for the record; --quick (preset) while developing\n"
                "  --out    also write all lines as one JSON document\n"
                "  --dir    where scratch folders are made; preset /var/tmp\n"
                "  --data   where filled stores are made, kept and found again\n"
                "  --data   where filled stores are made, kept and found again\n"
                "  --kith   the command line under test\n");
    return to == stdout ? 0 : EXIT_USAGE;
}

static int run_kind(bench *b, const char *name) {
    bool found = false;
    int r = 0;
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(name, "all") == 0 || strcmp(name, kinds[i].name) == 0) {
            found = true;
            r = kinds[i].run(b) < 0 ? -1 : r;
        }
    }
    if (!found) {
        bench_failed("'%s' is no kind; `kith-bench --help` lists them", name);
        return EXIT_USAGE;
    }
    return r < 0 ? 1 : 0;
}

static int remove_one(
    const char *path, const struct stat *st, int flag, struct FTW *where) {
    (void) st;
    (void) flag;
    (void) where;
    return remove(path);
}

/* `kith` stands beside us when installed, in cli/ beside our folder when built. */
static void find_kith(bench *b) {
    char self[400];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (b->kith[0] != '\0' || n <= 0) {
        return;
    }
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(b->kith, sizeof b->kith, "%s/kith", self);
    if (access(b->kith, X_OK) != 0) {
        snprintf(b->kith, sizeof b->kith, "%s/../cli/kith", self);
    }
}

static int parse(bench *b, char **argv, const char **ret_out, char ***ret_kinds) {
    const char *dir = "/var/tmp";
    *ret_out = NULL;
    char **a = argv + 1;
    for (; *a != NULL && strncmp(*a, "--", 2) == 0; a++) {
        if (strcmp(*a, "--tiny") == 0) {
            b->scale = BENCH_TINY;
        } else if (strcmp(*a, "--quick") == 0) {
            b->scale = BENCH_QUICK;
        } else if (strcmp(*a, "--full") == 0) {
            b->scale = BENCH_FULL;
        } else if (strcmp(*a, "--json") == 0) {
            b->json = true;
        } else if (strcmp(*a, "--out") == 0 && a[1] != NULL) {
            *ret_out = *++a;
        } else if (strcmp(*a, "--dir") == 0 && a[1] != NULL) {
            dir = *++a;
        } else if (strcmp(*a, "--data") == 0 && a[1] != NULL) {
            snprintf(b->data, sizeof b->data, "%s", *++a);
        } else if (strcmp(*a, "--kith") == 0 && a[1] != NULL) {
            snprintf(b->kith, sizeof b->kith, "%s", *++a);
        } else {
            return EXIT_USAGE;
        }
    }
    snprintf(b->dir, sizeof b->dir, "%s/kith-bench.XXXXXX", dir);
    b->rounds = BENCH_BY(b, 1, 5, 7);
    *ret_kinds = a;
    return *a == NULL ? EXIT_USAGE : 0;
}

static int open_out(bench *b, const char *path) {
    if (path == NULL) {
        return 0;
    }
    b->out = fopen(path, "w");
    if (b->out == NULL) {
        return bench_failed("%s: %s", path, strerror(errno));
    }
    fprintf(b->out, "[\n{\"v\":1,\"kind\":\"bench-machine\",");
    bench_machine(b->out);
    fprintf(b->out, ",\"full\":%s}", b->scale == BENCH_FULL ? "true" : "false");
    return 0;
}

int main(int argc, char **argv) {
    static bench b = { .scale = BENCH_QUICK };
    const char *out;
    char **names;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        return usage(stdout);
    }
    if (parse(&b, argv, &out, &names) != 0) {
        return usage(stderr);
    }
    find_kith(&b);
    if (mkdtemp(b.dir) == NULL) {
        bench_failed("%s: %s", b.dir, strerror(errno));
        return 1;
    }
    if (b.data[0] == '\0') {
        memcpy(b.data, b.dir, sizeof b.data);
    }
    int r = open_out(&b, out) < 0;
    for (; r == 0 && *names != NULL; names++) {
        r = run_kind(&b, *names);
    }
    if (b.out != NULL) {
        fprintf(b.out, "\n]\n");
        r = fclose(b.out) != 0 ? 1 : r;
    }
    nftw(b.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (!b.json && r == 0) {
        printf("%u lines, %u beyond their target\n", b.lines, b.missed);
    }
    return r == 0 && b.lines == 0 ? 1 : r;
}
