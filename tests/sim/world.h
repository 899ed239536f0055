/* A world: hosts, a network, tunnels between the hosts, a schedule of acts and perhaps an
 * attacker, all by seed.
 *
 * First comes a storm, in which everything happens that the profile knows; then calm: the
 * weather is fine, nobody acts, and both ends must come to rest with the same SAs; then
 * everything is taken down, and nothing may remain. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "tests/sim/attacker.h"
#include "tests/sim/host.h"

enum { ACTS_MOST = 64, STEPS_MOST = 60000 };

enum trouble { /* at most one a world */
	FINE, NARROWED,			/* with these it comes up */
	WRONG_SECRET, NO_IKE_PROPOSAL, NO_ESP_PROPOSAL, NO_SELECTORS, WRONG_ID,
	NOT_INSTALLED, PFS_DIFFERS,
	TROUBLES
};

struct world;
struct act {
	ike_time at;
	void (*run)(struct world *, const struct act *);
	const char *name;
	uint8_t tunnel, end, child;
};
typedef void act_run(struct world *, const struct act *);

struct stream { ike_time next, gap; };	/* of inner packets */

struct world {
	uint64_t seed;
	const struct profile *profile;
	struct chance chance;
	struct judge judge;
	struct ledger ledger;
	struct network network;
	struct attacker attacker;
	struct host hosts[HOSTS];
	unsigned n_hosts;
	struct tunnel tunnels[TUNNELS];
	unsigned n_tunnels;
	struct stream streams[TUNNELS][2][CHILDREN];
	struct act acts[ACTS_MOST];	/* in order of time */
	unsigned n_acts, next_act;
	ike_time now, storm;		/* until when the storm lasts */
	enum trouble trouble;
	/* Nothing excuses the loss of a packet once both ends are up. */
	bool strict;
	bool downs;			/* somebody says down, or loses all he has */
	bool moves;			/* somebody's address changes */
	bool deaf;			/* altered set-up messages may end an attempt */
	bool calm, hush;		/* fine weather; and no packets either */
	bool bereft;			/* the mourner had lost something */
	long blocks;			/* of memory, before there were any hosts */
	unsigned mourner;		/* of a host that is dead: HOSTS: none died */
	ike_time died;
	FILE *trace;
};

struct world_count {			/* over all seeds */
	uint64_t frames, packets, delivered, rekeys;
};

#define WORLD_BEGINS "    what happens:\n"	/* in the trace, behind the schedule */

/* Runs one seed to its end.  `profile` NULL: the one that the seed chooses.  False: `why`
 * says which rule was broken. */
bool world_run(uint64_t seed, const struct profile *, FILE *trace, struct world_count *,
    char *why, size_t len);

/* ---- between the files of a world ---- */

/* Runs until this moment; what is broken meanwhile is with the judge. */
void world_run_until(struct world *, ike_time until);
struct host *world_host(struct world *, const struct tunnel *, unsigned end);

#endif
