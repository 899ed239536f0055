#include "daemon/stale.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* An abstract socket belongs to the network namespace, as the things it guards do, and
 * goes with its process. */
int
stale_lock(char *error, size_t size)
{
	static const char name[] = "ikevd tun data path";
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1 + sizeof(name) - 1;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(un.sun_path + 1, name, sizeof(name) - 1);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&un, len) == 0)
		return fd;
	if (errno == EADDRINUSE)
		snprintf(error, size,
		    "another ikevd has the tun data path in this network "
		    "namespace; stop that one first, or run this one in a namespace of "
		    "its own");
	else
		snprintf(error, size, "cannot take the lock of the tun data path: %s",
		    strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Nothing is removed while the kernel lists it: first all are collected. */
struct found {
	const struct stale_keep *keep;
	struct rtnl_route *routes;
	struct rtnl_rule *rules;
	size_t n_routes, n_rules;
};

/* Room for one more; lists double at powers of two.  Without memory it is left for the
 * next time. */
static bool
grow(void **v, size_t n, size_t size)
{
	void *bigger;

	if ((n & (n - 1)) != 0)
		return true;
	bigger = reallocarray(*v, n == 0 ? 1 : n * 2, size);
	if (bigger == NULL)
		return false;
	*v = bigger;
	return true;
}

static void
collect_route(void *arg, const struct rtnl_route *r)
{
	struct found *f = arg;
	void *v = f->routes;

	if (f->keep != NULL && f->keep->route(f->keep->arg, r))
		return;
	if (!grow(&v, f->n_routes, sizeof(*f->routes)))
		return;
	f->routes = v;
	f->routes[f->n_routes++] = *r;
}

static void
collect_rule(void *arg, const struct rtnl_rule *r)
{
	struct found *f = arg;
	void *v = f->rules;

	if (f->keep != NULL && f->keep->rule(f->keep->arg, r))
		return;
	if (!grow(&v, f->n_rules, sizeof(*f->rules)))
		return;
	f->rules = v;
	f->rules[f->n_rules++] = *r;
}

unsigned
stale_sweep(struct netlink *nl, const struct stale_keep *keep)
{
	static const uint8_t families[] = { ESP_IPV4, ESP_IPV6 };
	struct found f = { .keep = keep };
	unsigned removed = 0;

	for (unsigned i = 0; i < sizeof(families); i++) {
		/* A family the kernel lacks has nothing to sweep. */
		(void)rtnl_each_rule(nl, families[i], collect_rule, &f);
		(void)rtnl_each_route(nl, families[i], collect_route, &f);
	}
	for (size_t i = 0; i < f.n_rules; i++)
		removed += rtnl_rule(nl, RTNL_REMOVE, &f.rules[i]) == 0;
	for (size_t i = 0; i < f.n_routes; i++)
		removed += rtnl_route(nl, RTNL_REMOVE, &f.routes[i]) == 0;
	free(f.routes);
	free(f.rules);
	return removed;
}
