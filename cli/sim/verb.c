/* SPDX-License-Identifier: Apache-2.0 */
/* kith sim: panels, or whole nodes through faults. */
#include "cli/sim/sim.h"
#include "cli/verbs.h"

#include <ctype.h>
#include <string.h>

/* "A..J", "a,c", "ACE" -> letters, each once, in the order of the alphabet. NULL: it is
 * none of these. */
static const char *letters_of(const char *text, char ret[32]) {
    bool wanted[26] = { false };
    int last = -1;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == ',') continue;
        bool range = p[0] == '.' && p[1] == '.';
        if (range) p += 2;
        int at = toupper((unsigned char) *p) - 'A';
        if (at < 0 || at >= 26 || strchr(KITH_SIM_PANELS, 'A' + at) == NULL) return NULL;
        if (range && (last < 0 || last > at)) return NULL;
        for (int i = range ? last : at; i <= at; i++) wanted[i] = true;
        last = at;
    }
    size_t n = 0;
    for (int i = 0; i < 26; i++) {
        if (wanted[i]) ret[n++] = (char) ('A' + i);
    }
    ret[n] = '\0';
    return n > 0 ? ret : NULL;
}

int verb_sim(const call *c) {
    const sim_flags *f = c->flags;
    char letters[32];
    if (f->all) return sim_panels(c, KITH_SIM_PANELS);
    if (flag_given(c, "panel")) {
        const char *which = letters_of(f->panel, letters);
        if (which == NULL) {
            return fault(c->out, E_VALUE, "--panel",
                "'%s' names no panels: A to J, A..E, A,C", f->panel);
        }
        return sim_panels(c, which);
    }
    if (f->quick || f->svg[0] != '\0') {
        return fault_do(c->out, E_TOGETHER, "sim", "kith help sim",
            "--quick and --svg belong to --panel or --all");
    }
    return sim_faults(c);
}
