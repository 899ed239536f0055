/* What people, kernels and fate do to a world, at moments of chance. */
#ifndef SIM_ACTS_H
#define SIM_ACTS_H

#include "tests/sim/world.h"

act_run act_rekey_child, act_rekey_ike, act_rekey_children_at_once,
    act_rekey_ikes_at_once, act_rekey_all_at_once, act_rekey_twice, act_soft, act_hard,
    act_up, act_down, act_down_child, act_down_ike, act_reload, act_restart, act_die,
    act_roam, act_rebind, act_cut, act_join, act_fail_install, act_attack, act_burst;

struct wish { act_run *run; const char *name; unsigned weight; };	/* to run NULL */

/* Adds an act at a moment within `from` .. `to`, somewhere by chance. */
struct act *acts_add(struct world *, ike_time from, ike_time to, act_run *,
    const char *name);
/* Adds `n` of these, each as often as its weight says. */
void acts_add_some(struct world *, const struct wish *, unsigned n);
void acts_print(const struct world *, FILE *);

#endif
