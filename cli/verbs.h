/* SPDX-License-Identifier: Apache-2.0 */
/* cli/verbs.h - one function per command. Each returns an exit code. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "cli/command.h"

int verb_demo(const call *c);
int verb_conform(const call *c);
int verb_sim(const call *c);

int verb_init(const call *c);
int verb_run(const call *c);
int verb_post(const call *c);
int verb_retract(const call *c);
int verb_follow(const call *c);
int verb_get(const call *c);
int verb_ask(const call *c);
int verb_why(const call *c);
int verb_pool(const call *c);
int verb_effect(const call *c);
int verb_sync(const call *c);
int verb_carriers(const call *c);
int verb_store_stat(const call *c);
int verb_store_check(const call *c);
int verb_store_proofs(const call *c);
int verb_store_export(const call *c);
int verb_store_import(const call *c);
int verb_store_prune(const call *c);
int verb_store_backup(const call *c);
int verb_drill(const call *c);
int verb_budget(const call *c);
int verb_budget_grant(const call *c);
int verb_bench(const call *c);
int verb_pkt_decode(const call *c);
int verb_pkt_encode(const call *c);
int verb_pkt_size(const call *c);
int verb_pkt_lint(const call *c);
int verb_addr(const call *c);
int verb_template_new(const call *c);
int verb_template_show(const call *c);
int verb_template_lint(const call *c);
int verb_template_diff(const call *c);
int verb_config_check(const call *c);
int verb_config_show(const call *c);
int verb_config_explain(const call *c);
int verb_help(const call *c);
int verb_version(const call *c);

/* What `kith run` would refuse in the settings: 0, or the exit code after it was told. */
int config_check(const call *c);

#endif
