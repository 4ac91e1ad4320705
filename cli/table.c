/* SPDX-License-Identifier: Apache-2.0 */
/* The one command table. Its order is the order of help. */
#include "cli/verbs.h"

#include <string.h>

#define FLAGS(rows, type)     .flags = rows, .flags_size = sizeof(type)
#define ARGS(form, low, high) .synopsis = form, .args_min = low, .args_max = high
#define LATER(verb, where, text)                                                           \
    { .name = verb, .group = where, .synopsis = "", .summary = text }

static const char start[] = "Start", loop[] = "The loop", carriers[] = "Carriers",
                  measuring[] = "Measuring", plumbing[] = "Plumbing", trust[] = "Trust",
                  looking[] = "Looking", safety[] = "Safety";

const command command_table[] = {
    { .name = "demo",
        .run = verb_demo,
        .group = start,
        .klass = CLASS_RO,
        ARGS("", 0, 0),
        .summary = "a swarm on this machine: hidden truth against answers",
        .detail = "Twelve buildings in processes of their own learn from each other over a "
                  "folder and a shared file. A liar joins, a node is killed, a carrier is "
                  "pulled. Everything lies in a folder of its own, removed at the end.",
        FLAGS(demo_rows, demo_flags),
        .bare = true,
        .exits = "0 1 64 70 74" },
    { .name = "init",
        .run = verb_init,
        .group = start,
        .klass = CLASS_RW,
        ARGS("", 0, 0),
        .summary = "make this node's key, store and configuration",
        .detail =
            "Folders are made with mode 0700, the key with 0600. What is there already "
            "is never overwritten: a second init ends with 78.",
        .exits = "0 64 74 78",
        .examples = { { "kith init --store here/store.db --key here/key --json", 0 },
            { "kith init --store here/store.db --key here/key", 78 } } },
    { .name = "run",
        .run = verb_run,
        .group = start,
        .klass = CLASS_RW,
        ARGS("", 0, 0),
        .summary = "the node in the foreground, until it is told to stop",
        .detail =
            "Reads signals, posts what they say, carries packets over every configured "
            "carrier, and acts when an answer changes. Signals and actions stand in the "
            "configuration, or one of each is given by flags. TERM drains for at most 4 s "
            "and "
            "ends with 0; HUP reads the configuration again; USR1 logs the state.",
        FLAGS(run_rows, run_flags),
        .exits = "0 64 65 69 70 74 75 78 130",
        .examples = { { "seq 1 40 | kith run --subject line.speed --count 20 --for 1s",
            0 } } },

    { .name = "post",
        .run = verb_post,
        .group = loop,
        .klass = CLASS_RW,
        ARGS("[URL] SUBJECT [-]", 1, 3),
        .summary = "say what was learned; ok means that it is on disk",
        .detail =
            "Evidence in one of five spellings:\n"
            "  --effect 0.12 --se 0.03 -n 240\n"
            "  --hits 11 --tries 12\n"
            "  --effect 0.12 --confidence 0.87 -n 240\n"
            "  --effects 0.12,1.4 --covariance 0.0009,0.001,0.04 -n 240\n"
            "  --samples FILE            numbers; reduced here, never stored\n"
            "or none, with --text or --conclusion: a report, listed and never pooled.\n"
            "With - as second argument JSON lines are read from stdin. Their keys are the "
            "names of the flags. One line is written for each packet once it is on disk. A "
            "bad line is told with its number and posts nothing, the lines behind it go "
            "on, and the exit code is then 65; empty lines are passed over. When the store "
            "fails, reading ends.\n"
            "A carrier that is down is no failure: the packet waits in the store.\n"
            "post --legacy seed0 URL SUBJECT waits (-W) until a reader of that program "
            "follows the topic, and says it once, unsigned and unstored. What seed 0 has "
            "no field for is refused.\n"
            "post --private takes a mean of --samples, clips each to --lower and --upper, "
            "and "
            "adds noise that hides every single person; what that costs is paid before, "
            "from the budget of --records, and refused with 77 when it is spent. Text is "
            "looked at: what resembles an identifier, an address, a path, a time or raw "
            "data "
            "is refused.",
        FLAGS(post_rows, post_flags),
        .exits = "0 64 65 69 74 75 76 77 78 124 130",
        .examples = { { "kith post hvac.bearing --effect 0.12 --se 0.03 -n 240", 0 },
            { "kith post tests.runner --hits 11 --tries 12 --text 'needs --forked'", 0 },
            { "kith post hvac.bearing --effect 0.12 --confidence 0.87 -n 240", 0 },
            { "seq 1 20 | kith post line.speed --samples -", 0 },
            { "echo '{\"effect\":0.2,\"se\":0.1,\"n\":9}' | kith post hvac.bearing - "
              "--json",
                0 },
            { "kith post hvac.bearing --effect 0.1 --se 0.1 -n 9 --dry-run", 0 } } },
    { .name = "retract",
        .run = verb_retract,
        .group = loop,
        .klass = CLASS_RW,
        ARGS("ID", 1, 1),
        .summary = "take an own packet back, everywhere",
        .detail = "ID is 8 to 64 hex digits. The packet stops counting wherever the "
                  "retraction arrives; the retraction itself can not be taken back.",
        .exits = "0 1 64 65 74 75 77 78",
        .examples = { { "kith retract $(kith get hvac.bearing --last 1 --format '{id}')",
                          0 },
            { "kith retract 00000000", 1 } } },
    { .name = "follow",
        .run = verb_follow,
        .group = loop,
        .klass = CLASS_RO,
        ARGS("[URL] PATTERN", 1, 2),
        .summary = "each packet as it comes; at the end lost, doubled, refused",
        .detail =
            "Shows what enters the store. With --carrier, or with carriers configured, "
            "it also reads from them. Ends with ctrl-c, --limit or --for.\n"
            "follow --legacy seed0 URL PATTERN shows what publishers of that program say "
            "at URL, zmq://127.0.0.1:5555 for one, and counts what it refuses by reason. "
            "With --since start its store, two ports on, is asked first.",
        FLAGS(follow_rows, look_flags),
        .exits = "0 64 69 74 75 78",
        .examples = { { "kith follow '>' --since start --limit 2", 0 } } },
    { .name = "get",
        .run = verb_get,
        .group = loop,
        .klass = CLASS_RO,
        ARGS("SUBJECT|PATTERN|id:HEX|cell:SUBJECT", 1, 1),
        .summary = "stored packets, newest first",
        .detail =
            "What older programs said is among them, as unsigned:NAME: nobody signed it, "
            "and "
            "anybody may claim the name. --own leaves it out.\n"
            "cell:hvac.bearing.s0.0010ff gives those of that cell, by the templates that "
            "are kept; kith addr --near spells it.",
        FLAGS(get_rows, look_flags),
        .exits = "0 1 64 74 75 78",
        .examples = { { "kith get tests.runner", 0 },
            { "kith get 'hvac.>' --last 0 --json", 0 },
            { "kith get line.speed --format '{subject} {effect:+.3f}'", 0 },
            { "kith get no.such.subject", 1 } } },
    { .name = "ask",
        .run = verb_ask,
        .group = loop,
        .klass = CLASS_RO,
        ARGS("SUBJECT|PATTERN", 1, 1),
        .summary = "the answer with interval and sources, or what is missing",
        .detail =
            "Ends with 1 when the evidence is insufficient, so that "
            "`kith ask X || fallback` works. A pattern gives a row for each subject, and "
            "0 when at least one has an answer. What older programs said is counted with "
            "--pool-unsigned alone; else a note says how much there is.",
        FLAGS(ask_rows, ask_flags),
        .exits = "0 1 64 74 75 78",
        .examples = { { "kith ask tests.runner", 1 },
            { "kith ask hvac.bearing --json", 1 } } },
    { .name = "why",
        .run = verb_why,
        .group = loop,
        .klass = CLASS_RO,
        ARGS("[SUBJECT]", 0, 1),
        .summary = "every packet behind an answer: weight, signer, age, way",
        .detail =
            "Those left out are listed too, with the reason.\n"
            "--write FILE keeps the packets, their ways, the question and the time; "
            "kith why --from FILE then prints the same bytes on any machine, without "
            "its store, clock or key. Each signature is checked again, and a file that "
            "was cut or changed is refused.",
        FLAGS(why_rows, ask_flags),
        .exits = "0 1 64 65 70 74 75 78",
        .examples = { { "kith why tests.runner", 0 },
            { "kith why tests.runner --write why.jsonl && kith why --from why.jsonl",
                0 } } },
    { .name = "sync",
        .run = verb_sync,
        .group = loop,
        .klass = CLASS_RW,
        ARGS("URL", 1, 1),
        .summary = "one exchange with a carrier, and an end",
        .detail =
            "Gives what it has not got and takes what is new, until both directions are "
            "quiet: 412 new, 0 lost, 0 counted twice, 1.3 s. On a wire that keeps nothing "
            "it "
            "ends when all who answer have the same, some five seconds after it began at "
            "the "
            "soonest; nobody for 20 s is an error. With interop=seed0 it says what it has "
            "and listens for five seconds; what it hears is kept as unsigned.",
        FLAGS(sync_rows, sync_flags),
        .exits = "0 64 69 74 75 78 124",
        .examples = { { "kith sync dir://$PWD/stick", 0 } } },

    { .name = "carriers",
        .run = verb_carriers,
        .group = carriers,
        .klass = CLASS_RO,
        ARGS("[NAME]", 0, 1),
        .summary = "what can carry packets here; with NAME every option",
        .detail =
            "An option is set in the URL, in the configuration under [NAME], or by the "
            "environment. The table says what the node adds where a carrier does not do "
            "it by itself. Those of [node] plugins are listed too.",
        .exits = "0 1 64 74 78",
        .examples = { { "kith carriers", 0 }, { "kith carriers dir", 0 },
            { "kith carriers pigeon", 1 } } },
    { .name = "conform",
        .group = carriers,
        .klass = CLASS_RW,
        ARGS("URL", 1, 1),
        .summary = "prove that a carrier means what all mean; the digest last",
        .detail = "Prints TAP: one line a check, native or done by the node.",
        FLAGS(conform_rows, conform_flags),
        .bare = true,
        .run = verb_conform,
        .exits = "0 1 64 69 70 74" },
    { .name = "store",
        .noun = "stat",
        .run = verb_store_stat,
        .group = carriers,
        .klass = CLASS_RO,
        ARGS("", 0, 0),
        .summary = "how much is stored, and how well",
        .exits = "0 64 74 75 78",
        .examples = { { "kith store stat", 0 }, { "kith store stat --json", 0 } } },
    { .name = "store",
        .noun = "check",
        .run = verb_store_check,
        .group = carriers,
        .klass = CLASS_RO,
        ARGS("", 0, 0),
        .summary = "read everything; 0 only when all of it is whole",
        .exits = "0 64 74 75 76 78",
        .examples = { { "kith store check", 0 } } },
    { .name = "store",
        .noun = "proofs",
        .run = verb_store_proofs,
        .group = carriers,
        .klass = CLASS_RO,
        ARGS("", 0, 0),
        .summary = "sources that signed two packets under one number",
        .detail =
            "The first counts, the other is kept until it expires: together they prove "
            "that the source lied, or that its key lives twice. Ends with 1 when there "
            "is none. `kith why` lists them for a subject.",
        .exits = "0 1 64 74 75 78",
        .examples = { { "kith store proofs", 1 } } },
    { .name = "store",
        .noun = "export",
        .run = verb_store_export,
        .group = carriers,
        .klass = CLASS_RO,
        ARGS("[PATTERN]", 0, 1),
        .summary = "packets as JSON lines that import reads",
        .detail = "Signed packets alone.",
        FLAGS(export_rows, file_flags),
        .exits = "0 64 74 75 78",
        .examples = { { "kith store export 'hvac.>' -o packets.jsonl", 0 } } },
    { .name = "store",
        .noun = "import",
        .run = verb_store_import,
        .group = carriers,
        .klass = CLASS_RW,
        ARGS("FILE|-", 1, 1),
        .summary = "take packets in, verified, each counted once",
        .exits = "0 64 65 74 75 78",
        .examples = { { "kith store import packets.jsonl", 0 } } },
    { .name = "store",
        .noun = "prune",
        .run = verb_store_prune,
        .group = carriers,
        .klass = CLASS_RW,
        ARGS("", 0, 0),
        .summary = "remove what has expired",
        .exits = "0 64 74 75 78",
        .examples = { { "kith store prune", 0 } } },
    { .name = "store",
        .noun = "backup",
        .run = verb_store_backup,
        .group = carriers,
        .klass = CLASS_RO,
        ARGS("FILE", 1, 1),
        .summary = "a whole copy, taken while others post",
        .exits = "0 64 74 75 78",
        .examples = { { "kith store backup copy.db", 0 } } },

    { .name = "template",
        .noun = "new",
        .run = verb_template_new,
        .group = trust,
        .klass = CLASS_RW,
        ARGS("FILE|-", 1, 1),
        .summary = "check a document of what a problem is, and keep it for ever",
        .detail =
            "A template says what an effect measures and in which unit, what a context is "
            "made of, and how near is near. Its id is the hash of its meaning: spacing, "
            "order of keys and comments do not count, anything else does. A name and "
            "version that are kept can not come to mean another; raise the version. Begin "
            "with `kith template show unit`.",
        FLAGS(template_rows, template_flags),
        .exits = "0 64 65 74 78",
        .examples = { { "printf '%s\\n' '[template]' 'name = bearing' 'version = 1' "
                        "'about = hours left' 'measure = mean-difference' 'radius = 0.05' "
                        "'[dimension load]' 'transform = linear 0 1' > bearing.txt && "
                        "kith template new bearing.txt",
            0 } } },
    { .name = "template",
        .noun = "show",
        .run = verb_template_show,
        .group = trust,
        .klass = CLASS_RO,
        ARGS("[NAME|ID|FILE|-]", 0, 1),
        .summary = "those that are kept; or one as its canonical text",
        .detail = "`unit`, `unit-3` and so on show the built-in family, units of 10^U.",
        .exits = "0 1 64 65 74 78",
        .examples = { { "kith template show", 0 }, { "kith template show bearing", 0 },
            { "kith template show unit", 0 } } },
    { .name = "template",
        .noun = "lint",
        .run = verb_template_lint,
        .group = trust,
        .klass = CLASS_RO,
        ARGS("NAME|ID|FILE|-", 1, 1),
        .summary = "what a careful reader would say; 0 when nothing",
        .exits = "0 1 64 65 74 78",
        .examples = { { "kith template lint bearing.txt", 0 } } },
    { .name = "template",
        .noun = "diff",
        .run = verb_template_diff,
        .group = trust,
        .klass = CLASS_RO,
        ARGS("A B", 2, 2),
        .summary = "where two differ in meaning; 0 when nowhere",
        .exits = "0 1 64 65 74 78",
        .examples = { { "kith template diff bearing bearing.txt", 0 } } },

    { .name = "sim",
        .run = verb_sim,
        .group = measuring,
        .klass = CLASS_RO,
        ARGS("", 0, 0),
        .summary = "a swarm from one seed, held against what is promised",
        .detail =
            "Whole nodes, with real stores on simulated disks, a simulated wire and "
            "clocks, go "
            "through what the seed draws: loss, repeats, delay, partitions, power cuts "
            "with "
            "torn writes, wrong clocks, failing syncs, full disks, pauses. Then all is "
            "healed, "
            "and nothing acknowledged may be lost, nothing counted twice, nothing "
            "invented, and "
            "all must end in one digest. The same seed prints the same bytes.\n"
            "Panels are figures that must lie between bounds: A error against the number "
            "of nodes, B claimed against true error, C what an answer reads, D gossip of "
            "results against leaves, E liars, H the own result, J decay. (F, G, I come "
            "later: they are absent, and said to be.) Worlds with a known truth are given "
            "to the same functions that a node calls. With --all and without --quick it "
            "works for some minutes.\n"
            "Ends with 1 when something is wrong, and says how to repeat it.",
        FLAGS(sim_rows, sim_flags),
        .bare = true,
        .exits = "0 1 64 70 74",
        .examples = { { "kith sim --panel E --quick --svg liars.svg", 0 },
            { "kith sim --seed 71 --nodes 4 --until 20s", 0 },
            { "kith sim --panel Q", 64 } } },
    { .name = "bench",
        .run = verb_bench,
        .group = measuring,
        .klass = CLASS_RW,
        ARGS("[KIND] [ARG...]", 0, 32),
        .summary = "measure against peers in the same run",
        .detail = "Runs the separate program kith-bench, which `make bench` builds.",
        .bare = true,
        .exits = "0 1 64 69 74" },
    { .name = "pool",
        .run = verb_pool,
        .group = measuring,
        .klass = CLASS_RO,
        ARGS("[FILE|-]", 0, 1),
        .summary = "every statistic of rows effect,variance[,source]",
        .detail =
            "Reads CSV whose first line names its columns, or JSON lines with these names "
            "as keys; without FILE from stdin. yi and vi are understood too, other columns "
            "are passed over. Any finite effect, any positive variance.\n"
            "Prints fixed effect, DerSimonian-Laird, Paule-Mandel and REML, each with "
            "normal, Hartung-Knapp and modified Hartung-Knapp intervals; --json adds sums, "
            "Q-profile, prediction intervals, and for 3 to 200 sources each one shrunk "
            "towards the others. The flags choose what stands in answer.\n"
            "Rows of one source are one vote: combined by their precision, copies counted "
            "once. A row without a source is one of its own. What does not exist is null: "
            "t intervals of one source, for example. The same rows in any order give the "
            "same numbers, to the last bit.\n"
            "One bad row, and nothing is computed; each is told with its number.",
        FLAGS(pool_rows, pool_flags),
        .bare = true,
        .exits = "0 64 65 70 74",
        .examples = { { "printf 'effect,variance\\n0.1,0.02\\n0.3,0.05\\n0.2,0.01\\n' | "
                        "kith pool --json",
                          0 },
            { "printf 'effect,variance\\n0.1,-1\\n' | kith pool", 65 } } },
    { .name = "effect",
        .run = verb_effect,
        .group = measuring,
        .klass = CLASS_RO,
        ARGS("[FILE|-]", 0, 1),
        .summary = "effect and variance from tables, for kith pool",
        .detail =
            "Reads CSV whose first line names its columns, or JSON lines; without FILE "
            "from "
            "stdin. The measures have metafor's names; their columns are\n"
            "  RR OR RD     a,b,c,d       events and others of one group, then of the "
            "other\n"
            "  MN           m1,sd1,n1     mean, standard deviation, number\n"
            "  MD SMD ROM   m1,sd1,n1,m2,sd2,n2\n"
            "  ZCOR         r,n           a correlation, and of how many\n"
            "  PLO          x,n           hits, tries; or a,b as above\n"
            "and so are metafor's own, ai or m1i; tpos,tneg,cpos,cneg are a,b,c,d. RR, OR, "
            "ROM are logarithms, PLO a logit, ZCOR atanh r, SMD is Hedges' g. When any "
            "cell "
            "of a table is 0, a half is added to all of it.\n"
            "Writes effect,variance,source,measure as CSV, or as JSON lines. One bad row, "
            "and nothing is written; each is told with its number.",
        FLAGS(effect_rows, effect_flags),
        .bare = true,
        .exits = "0 64 65 70 74",
        .examples = { { "printf 'a,b,c,d\\n4,119,11,128\\n6,300,29,274\\n' | "
                        "kith effect --measure RR | kith pool",
                          0 },
            { "printf 'r,n\\n1.5,20\\n' | kith effect --measure ZCOR", 65 } } },

    { .name = "drill",
        .run = verb_drill,
        .group = trust,
        .klass = CLASS_RO,
        ARGS("[SUBJECT|PATTERN]", 0, 1),
        .summary = "how far liars would move an answer, beside the bound",
        .detail =
            "Copies what sources say into memory, invents so many liars beside them, asks "
            "again, and shows how far the estimate went beside how far it may go. Each "
            "liar is listed, and whether the answer named it. Nothing is stored or sent. "
            "Without a subject each one in the store has its drill.\n"
            "Gross liars stand ten times the sources' spread away; stealthy ones inside "
            "it, where nobody can tell them from others: they do move the answer, and the "
            "bound says by how much (docs/answers.md). Eight sources are needed; of an "
            "effect of several components the first is drilled; what nobody signed is "
            "left out. The same packets and seed print the same bytes, unless --half-life "
            "counts their age.\n"
            "Ends with 1 when a shift is outside its bound, or no subject has the sources.",
        FLAGS(drill_rows, drill_flags),
        .exits = "0 1 64 65 70 74 75 78",
        .examples = { { "kith drill --liars 20%", 1 },
            { "kith drill hvac.bearing --lie gross --seed 7 --json", 1 },
            { "kith drill --liars 60%", 64 } } },
    { .name = "budget",
        .run = verb_budget,
        .group = trust,
        .klass = CLASS_RO,
        ARGS("[RECORDS|SUBJECT]", 0, 1),
        .summary = "privacy spent, left and when it renews; budget grant",
        .detail =
            "A row for each account of records, and one for each of its subjects. What is "
            "left is left to all subjects of the records together. Spent is counted as "
            "rho, "
            "which adds, and shown as epsilon at delta 1e-6 too; --json adds what was "
            "spent "
            "ever, over all periods. A locked account comes from another life of the "
            "store, "
            "a backup for one, and may not know all that was spent: grant it anew. Ends "
            "with "
            "1 when there is none.",
        .exits = "0 1 64 74 75 78",
        .examples = { { "kith budget", 1 } } },
    { .name = "budget",
        .noun = "grant",
        .run = verb_budget_grant,
        .group = trust,
        .klass = CLASS_DANGER,
        ARGS("RECORDS", 1, 1),
        .summary = "how much may be said of these records, and unlock them",
        .detail =
            "The limit holds for all that was and will be spent: granting again gives "
            "nothing back. With --renew it holds for each period; that is sound where "
            "nobody "
            "is in two of them, and for the others both count.",
        FLAGS(budget_rows, budget_flags),
        .exits = "0 64 74 75 76 78",
        .examples = { { "kith budget grant ward --epsilon 2 --renew 90d", 0 },
            { "seq 1 40 | kith post --private ward.load --samples - --lower 0 --upper 40 "
              "--epsilon 0.5 --records ward",
                0 },
            { "kith budget ward --json", 0 } } },

    { .name = "pkt",
        .noun = "decode",
        .run = verb_pkt_decode,
        .group = plumbing,
        .klass = CLASS_RO,
        ARGS("HEX|FILE|-", 1, 1),
        .summary = "a packet spread out, its signature checked",
        FLAGS(decode_rows, file_flags),
        .bare = true,
        .exits = "0 64 65 74",
        .examples = { { "kith get tests.runner --format '{packet}' | kith pkt decode -",
                          0 },
            { "kith pkt decode 0102", 65 } } },
    { .name = "pkt",
        .noun = "encode",
        .run = verb_pkt_encode,
        .group = plumbing,
        .klass = CLASS_RO,
        ARGS("SUBJECT [-]", 1, 2),
        .summary = "a signed packet as hex, without any store",
        .detail = "Takes the evidence of post. Epoch and sequence are 1 and 0, so that the "
                  "result is for looking at and not for sending.",
        FLAGS(encode_rows, post_flags),
        .exits = "0 64 65 74 78",
        .examples = { { "kith pkt encode a.b --effect 1 --se 0.1 -n 5", 0 } } },
    { .name = "pkt",
        .noun = "size",
        .run = verb_pkt_size,
        .group = plumbing,
        .klass = CLASS_RO,
        ARGS("SUBJECT [-]", 1, 2),
        .summary = "the bytes of each field, and their sum",
        FLAGS(encode_rows, post_flags),
        .bare = true,
        .exits = "0 64 65 74",
        .examples = { { "kith pkt size a.b --effect 1 --se 0.1 -n 5", 0 } } },
    { .name = "pkt",
        .noun = "lint",
        .run = verb_pkt_lint,
        .group = plumbing,
        .klass = CLASS_RO,
        ARGS("HEX|FILE|-", 1, 1),
        .summary = "rules that packets break; 0 when none",
        FLAGS(decode_rows, file_flags),
        .bare = true,
        .exits = "0 64 65 74",
        .examples = { { "kith pkt lint 00", 65 } } },
    { .name = "addr",
        .run = verb_addr,
        .group = plumbing,
        .klass = CLASS_RO,
        ARGS("SUBJECT", 1, 1),
        .summary = "a subject's fingerprint, cells, spelling on carriers",
        FLAGS(addr_rows, addr_flags),
        .exits = "0 1 64 65 74 78",
        .examples = { { "kith addr iot.hvac.energy-anomaly", 0 },
            { "kith addr iot.hvac --match 'iot.*'", 0 },
            { "kith addr iot.hvac --match 'med.>'", 1 },
            { "kith addr hvac.bearing --template bearing --near 0.18", 0 } } },
    { .name = "config",
        .noun = "check",
        .run = verb_config_check,
        .group = plumbing,
        .klass = CLASS_RO,
        ARGS("", 0, 0),
        .summary = "read every configuration file and say what is wrong",
        .exits = "0 64 74 78",
        .examples = { { "kith config check", 0 } } },
    { .name = "config",
        .noun = "show",
        .run = verb_config_show,
        .group = plumbing,
        .klass = CLASS_RO,
        ARGS("[KEY]", 0, 1),
        .summary = "each value in force",
        FLAGS(config_rows, config_flags),
        .exits = "0 1 64 74 78",
        .examples = { { "kith config show --origin", 0 },
            { "kith config show log.level", 0 } } },
    { .name = "config",
        .noun = "explain",
        .run = verb_config_explain,
        .group = plumbing,
        .klass = CLASS_RO,
        ARGS("KEY", 1, 1),
        .summary = "a key's meaning, range, preset and variable",
        .bare = true,
        .exits = "0 64 74",
        .examples = { { "kith config explain store.url", 0 } } },
    { .name = "help",
        .run = verb_help,
        .group = plumbing,
        .klass = CLASS_RO,
        ARGS("[COMMAND|ERROR|TOPIC]", 0, 2),
        .summary = "this list; a command; an error code; a topic",
        FLAGS(help_rows, help_flags),
        .bare = true,
        .exits = "0 64 74",
        .examples = { { "kith help post", 0 }, { "kith help E012", 0 },
            { "kith help exits", 0 }, { "kith help --json", 0 } } },
    { .name = "version",
        .run = verb_version,
        .group = plumbing,
        .klass = CLASS_RO,
        ARGS("", 0, 0),
        .summary = "version, wire and contract numbers",
        .bare = true,
        .exits = "0 64 74",
        .examples = { { "kith version", 0 }, { "kith version --json", 0 } } },

    LATER("spine", start, "broker and supervisor in the foreground"),
    LATER("component", start, "any program as a supervised component"),
    LATER("status", start, "one screen: node, carriers, outbox, peers"),
    LATER("doctor", start, "per check ok, warn or fail, and what mends it"),
    LATER("web", start, "the dashboard's address"),
    LATER("ls", looking, "subjects with count, rate, age"),
    LATER("tree", looking, "the same as a tree"),
    LATER("top", looking, "full screen: nodes, subjects, carriers"),
    LATER("rate", looking, "packets and bytes a second"),
    LATER("peers", looking, "who is enrolled, when last heard"),
    LATER("ping", looking, "round trip per carrier"),
    LATER("plot", looking, "a picture"),
    LATER("check", looking, "one line for a monitoring probe"),
    LATER("key", trust, "keys: show, rotate, revoke"),
    LATER("pair", trust, "join two machines by a spoken code"),
    LATER("roster", trust, "rights per key"),
    LATER("elections", trust, "standings of rival templates"),
    LATER("bridge", carriers, "packets from one carrier to another"),
    LATER("breaker", safety, "state, cause, next probe"),
    LATER("scram", safety, "governor: status, trip, reset"),
    LATER("shadow", safety, "candidate, passes, promotion"),
    LATER("exec", safety, "run in the sandbox"),
    LATER("latency", measuring, "delay from the due moment"),
    LATER("record", measuring, "packets into a file"),
    LATER("replay", measuring, "and out of it again"),
    LATER("ring", plumbing, "shared-memory rings"),
    LATER("ctx", plumbing, "named sets of connection options"),
    LATER("schema", plumbing, "JSON schema of outputs"),
    LATER("gather", plumbing, "a support archive"),
    LATER("completion", plumbing, "for bash, zsh, fish"),
    { .name = NULL },
};

const command *command_find(const char *name, const char *noun) {
    for (const command *c = command_table; c->name != NULL; c++) {
        if (strcmp(c->name, name) != 0) continue;
        if (noun == NULL ? c->noun == NULL
                         : c->noun != NULL && strcmp(c->noun, noun) == 0) {
            return c;
        }
    }
    return NULL;
}

bool command_has_nouns(const char *name) {
    for (const command *c = command_table; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) return c->noun != NULL;
    }
    return false;
}

char *command_title(const command *c, char *ret, size_t size) {
    snprintf(ret, size, "%s%s%s", c->name, c->noun == NULL ? "" : " ",
        c->noun == NULL ? "" : c->noun);
    return ret;
}
