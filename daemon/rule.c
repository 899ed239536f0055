#include "daemon/rule.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#include "daemon/log.h"

static struct rtnl_rule
rule_of(uint8_t family, uint32_t priority, enum rtnl_action action, uint32_t target)
{
	return (struct rtnl_rule){ .family = family,
		.priority = priority,
		.action = action,
		.target = target,
		.from.family = family };
}

/* Adding what a predecessor left, or removing what somebody else has removed, is no
 * fault. */
static int
change_rule(const struct rules *r, enum rtnl_change change, const struct rtnl_rule *rule)
{
	int error = rtnl_rule(r->nl, change, rule);

	if (error == 0 || (change == RTNL_ADD ? error == -EEXIST : error == -ENOENT))
		return 0;
	if (change == RTNL_REMOVE || error != -EAFNOSUPPORT)
		log_error(r->log, "cannot %s the IPv%u rule of priority %u: %s",
		    change == RTNL_ADD ? "add" : "remove", rule->family, rule->priority,
		    netlink_reason(r->nl));
	return error;
}

int
rule_first(const struct rules *r, uint8_t family)
{
	struct rtnl_rule rule = rule_of(family, RTNL_FIRST, RTNL_LOOKUP, RTNL_TABLE);

	rule.mark = r->mark;
	rule.invert = true;
	rule.specific = true;
	return change_rule(r, RTNL_ADD, &rule);
}

/* The landing place first: the kernel wants to know it when it takes the jump. */
void
rule_default(const struct rules *r, enum rtnl_change change, uint8_t family)
{
	struct rtnl_rule rules[] = {
		rule_of(family, RTNL_LAST, RTNL_NOP, 0),
		rule_of(family, RTNL_MARKED, RTNL_GOTO, RTNL_LAST),
		rule_of(family, RTNL_MAIN, RTNL_LOOKUP, RT_TABLE_MAIN),
	};

	rules[1].mark = r->mark;
	rules[2].specific = true;
	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		(void)change_rule(r, change, &rules[i]);
}

void
rule_from(const struct rules *r, enum rtnl_change change, const struct esp_prefix *from)
{
	struct rtnl_rule rule = rule_of(from->family, RTNL_FROM, RTNL_LOOKUP, RTNL_TABLE);

	rule.from = *from;
	(void)change_rule(r, change, &rule);
}

/* A socket without an address asks for a route with none: IPv4 knows it as 0.0.0.0, IPv6
 * by its being in neither half of all addresses. */
void
rule_host(const struct rules *r, enum rtnl_change change, uint8_t family)
{
	static const uint8_t halves[] = { 0x00, 0x80 };
	struct rtnl_rule rule = rule_of(family, RTNL_HOST, RTNL_LOOKUP, RTNL_TABLE);

	if (family == ESP_IPV4) {
		rule.from.bits = 32;
		(void)change_rule(r, change, &rule);
		return;
	}
	for (unsigned i = 0; i < sizeof(halves); i++) {
		rule = rule_of(family, RTNL_HOST, RTNL_GOTO, RTNL_LAST);
		rule.from.bits = 1;
		rule.from.addr[0] = halves[i];
		(void)change_rule(r, change, &rule);
	}
	rule = rule_of(family, RTNL_HOST6, RTNL_LOOKUP, RTNL_TABLE);
	(void)change_rule(r, change, &rule);
}
