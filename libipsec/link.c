#include "libipsec/link.h"

#include <stdlib.h>
#include <string.h>

#include "libipsec/batch.h"

struct ipsec_link_child {		/* a Child SA */
	struct ipsec_entry entry;	/* by its id */
	struct ipsec_link *link;	/* NULL: its session has ended */
	SLIST_ENTRY(ipsec_link_child) of_link;	/* few */
	bool in, out;
};

struct ipsec_links {
	struct ipsec_datapath datapath;	/* first: what the endpoint sees */
	struct ipsec_port port;		/* what the worker sees */
	struct ipsec_datapath *worker;
	struct ipsec_index children;
	struct ipsec_links_user user;
};

static struct ipsec_links *
of(struct ipsec_datapath *d)
{
	return (struct ipsec_links *)d;
}

static struct ipsec_links *
of_port(struct ipsec_port *port)
{
	return (struct ipsec_links *)(void *)((char *)port -
	    offsetof(struct ipsec_links, port));
}

static struct ipsec_link_child *
find_child(const struct ipsec_links *l, ike_id id)
{
	return ipsec_index_find(&l->children, id);
}

/* ---- received packets ---- */

static void
free_packets(struct ipsec_waitings *queue)
{
	struct ipsec_waiting *w;

	while ((w = STAILQ_FIRST(queue)) != NULL) {
		STAILQ_REMOVE_HEAD(queue, next);
		free(w);
	}
}

static bool
has_queue(struct ipsec_link *link)
{
	if (link->waiting == NULL &&
	    (link->waiting = calloc(2, sizeof(*link->waiting))) != NULL)
		for (unsigned i = 0; i < 2; i++)
			STAILQ_INIT(&link->waiting[i]);
	return link->waiting != NULL;
}

static void
keep(struct ipsec_link *link, const struct ipsec_packet *p)
{
	struct ipsec_waiting *w = NULL;

	if (link->n_waiting < link->links->user.queue && has_queue(link))
		w = malloc(sizeof(*w) + p->len);
	if (w == NULL) {
		link->overflow++;
		return;
	}
	w->len = (uint32_t)p->len;
	memcpy(w->data, p->data, p->len);
	STAILQ_INSERT_TAIL(&link->waiting[0], w, next);
	link->n_waiting++;
}

static void
deliver(struct ipsec_links *l, struct ipsec_link *link, const struct ipsec_packet *v,
    unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		link->octets[0] += v[i].len;
	link->packets[0] += n;
	if (l->user.packets != NULL) {
		l->user.packets(l->user.arg, link, v, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		keep(link, &v[i]);
}

/* The Child SAs of packets, and their links, will be looked for. */
static void
expect_links(const struct ipsec_links *l, const struct esp_packet *v, unsigned n)
{
	const struct ipsec_link_child *child;
	uint64_t ids[IPSEC_BATCH];
	unsigned k = 0;

	for (unsigned i = 0; i < n && k < IPSEC_BATCH; i++)
		if (v[i].verdict == ESP_OK && (k == 0 || esp_sa_id(v[i].sa) != ids[k - 1]))
			ids[k++] = esp_sa_id(v[i].sa);
	if (k <= 1)
		return;
	ipsec_index_expect(&l->children, ids, k, sizeof(*child));
	while (k-- > 0)
		if ((child = find_child(l, ids[k])) != NULL)
			bytes_expect(child->link, sizeof(*child->link));
}

/* Packets come in runs of one Child SA.  A link may end while its packets are delivered,
 * so each run looks anew. */
static void
write_packets(struct ipsec_port *port, struct esp_packet *v, unsigned n)
{
	struct ipsec_links *l = of_port(port);
	struct ipsec_packet run[IPSEC_BATCH];
	const struct ipsec_link_child *child;
	unsigned i = 0, k;
	uint64_t id;

	expect_links(l, v, n);
	while (i < n) {
		if (v[i].verdict != ESP_OK) {
			i++;
			continue;
		}
		id = esp_sa_id(v[i].sa);
		for (k = 0; i < n && k < IPSEC_BATCH && (v[i].verdict != ESP_OK ||
		    esp_sa_id(v[i].sa) == id); i++)
			if (v[i].verdict == ESP_OK)
				run[k++] = (struct ipsec_packet){ .data = v[i].data,
				    .len = v[i].len };
		child = find_child(l, id);
		if (child != NULL && child->link != NULL)
			deliver(l, child->link, run, k);
	}
}

static unsigned
read_nothing(struct ipsec_port *port, struct esp_packet *v, unsigned n)
{
	(void)port;
	(void)v;
	(void)n;
	return 0;
}

static void
refuse_nothing(struct ipsec_port *port, const struct esp_packet *p, uint32_t mtu)
{
	(void)port;
	(void)p;
	(void)mtu;
}

static void
close_port(struct ipsec_port *port)
{
	(void)port;
}

static const struct ipsec_port_ops port_ops = {
	.read = read_nothing, .write = write_packets, .refuse = refuse_nothing,
	.close = close_port,
};

/* ---- the data path: the worker's, with links in place of policies ---- */

static bool
attach(struct ipsec_datapath *d, struct ipsec_udp *udp,
    void (*tell)(void *arg, const struct ike_notice *), void *arg)
{
	return of(d)->worker->ops->attach(of(d)->worker, udp, tell, arg);
}

/* Nobody looks for a link by selectors. */
static bool
trap(struct ipsec_datapath *d, const struct ipsec_trap *t)
{
	(void)d;
	(void)t;
	return true;
}

static void
untrap(struct ipsec_datapath *d, uint64_t id)
{
	(void)d;
	(void)id;
}

static void
forget_if_gone(struct ipsec_links *l, struct ipsec_link_child *c)
{
	if (c->in || c->out)
		return;
	if (c->link != NULL)
		SLIST_REMOVE(&c->link->children, c, ipsec_link_child, of_link);
	ipsec_index_remove(&l->children, &c->entry);
	free(c);
}

static struct ipsec_link_child *
need_child(struct ipsec_links *l, const struct ipsec_sa *sa)
{
	struct ipsec_link_child *c = find_child(l, sa->id);
	struct ipsec_link *link;

	if (c != NULL)
		return c;
	if ((link = l->user.need(l->user.arg, sa)) == NULL ||
	    (c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->entry.id = sa->id;
	if (!ipsec_index_add(&l->children, &c->entry)) {
		free(c);
		return NULL;
	}
	c->link = link;
	SLIST_INSERT_HEAD(&link->children, c, of_link);
	return c;
}

/* In the worker a link is a policy. */
static bool
add(struct ipsec_datapath *d, const struct ipsec_sa *sa, bool out)
{
	struct ipsec_links *l = of(d);
	const struct ipsec_datapath_ops *ops = l->worker->ops;
	struct ipsec_link_child *c = need_child(l, sa);
	struct ipsec_sa own = *sa;
	bool done;

	if (c == NULL)
		return false;
	own.policy = sa->ike_sa;
	done = c->link != NULL && (out ? ops->out_add(l->worker, &own) :
	    ops->in_add(l->worker, &own));
	if (done && out) {
		c->out = true;
		c->link->n_out++;
	} else if (done) {
		c->in = true;
	}
	forget_if_gone(l, c);
	return done;
}

static bool
in_add(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	return add(d, sa, false);
}

static bool
out_add(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	return add(d, sa, true);
}

static void
out_remove(struct ipsec_datapath *d, ike_id id)
{
	struct ipsec_links *l = of(d);
	struct ipsec_link_child *c = find_child(l, id);

	l->worker->ops->out_remove(l->worker, id);
	if (c == NULL)
		return;
	if (c->out && c->link != NULL)
		c->link->n_out--;
	c->out = false;
	forget_if_gone(l, c);
}

static void
in_remove(struct ipsec_datapath *d, ike_id id)
{
	struct ipsec_links *l = of(d);
	struct ipsec_link_child *c = find_child(l, id);
	struct ipsec_usage u;

	if (c != NULL && c->in && c->link != NULL &&
	    l->worker->ops->usage(l->worker, id, &u)) {
		c->link->replayed += u.replay;
		c->link->forged += u.integrity;
		c->link->selectors += u.selectors;
	}
	l->worker->ops->in_remove(l->worker, id);
	if (c == NULL)
		return;
	c->in = false;
	forget_if_gone(l, c);
}

static bool
usage(struct ipsec_datapath *d, ike_id id, struct ipsec_usage *u)
{
	return of(d)->worker->ops->usage(of(d)->worker, id, u);
}

static void
set_path(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	struct ipsec_links *l = of(d);
	const struct ipsec_link_child *c = find_child(l, sa->id);

	l->worker->ops->set_path(l->worker, sa);
	if (c != NULL && c->link != NULL)
		l->user.moved(l->user.arg, c->link, &sa->child->path);
}

static void
receive(struct ipsec_datapath *d, struct ipsec_message *m, unsigned n)
{
	of(d)->worker->ops->receive(of(d)->worker, m, n);
}

static void
process(struct ipsec_datapath *d)
{
	of(d)->worker->ops->process(of(d)->worker);
}

static void
close_links(struct ipsec_datapath *d)
{
	struct ipsec_links *l = of(d);
	struct ipsec_link_child *c;
	size_t from = 0;

	while ((c = ipsec_index_any(&l->children, &from)) != NULL) {
		c->in = c->out = false;
		forget_if_gone(l, c);
	}
	ipsec_index_free(&l->children);
	l->worker->ops->close(l->worker);
	free(l);
}

static const struct ipsec_datapath_ops links_ops = {
	.attach = attach, .trap = trap, .untrap = untrap, .in_add = in_add,
	.out_add = out_add, .out_remove = out_remove, .in_remove = in_remove,
	.usage = usage, .close = close_links, .set_path = set_path, .receive = receive,
	.process = process,
};

struct ipsec_links *
ipsec_links_new(const struct ipsec_links_user *user)
{
	struct ipsec_links *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->datapath.ops = &links_ops;
	l->port = (struct ipsec_port){ .ops = &port_ops, .fd = -1 };
	l->user = *user;
	if ((l->worker = ipsec_worker_new(&l->port)) != NULL)
		return l;
	free(l);
	return NULL;
}

struct ipsec_datapath *
ipsec_links_datapath(struct ipsec_links *l)
{
	return &l->datapath;
}

void
ipsec_links_counters(const struct ipsec_links *l, struct ipsec_worker_counters *c)
{
	ipsec_worker_read_counters(l->worker, c);
}

/* ---- a link ---- */

void
ipsec_link_init(struct ipsec_link *link, struct ipsec_links *l, ike_id ike_sa)
{
	link->links = l;
	link->entry.id = ike_sa;
	SLIST_INIT(&link->children);
}

void
ipsec_link_end(struct ipsec_link *link)
{
	struct ipsec_link_child *c;

	while ((c = SLIST_FIRST(&link->children)) != NULL) {
		SLIST_REMOVE_HEAD(&link->children, of_link);
		c->link = NULL;
	}
	if (link->waiting != NULL)
		for (unsigned i = 0; i < 2; i++)
			free_packets(&link->waiting[i]);
	free(link->waiting);
	link->waiting = NULL;
	link->n_waiting = 0;
}

unsigned
ipsec_link_send(struct ipsec_link *link, struct ipsec_packet *v, unsigned n)
{
	unsigned sent = ipsec_worker_send(link->links->worker, link->entry.id, v, n);

	link->packets[1] += sent;
	for (unsigned i = 0; i < n; i++)
		if (v[i].error == IPSEC_OK)
			link->octets[1] += v[i].len;
		else if (v[i].error != IPSEC_NOT_CONNECTED)
			link->unsent++;
	return sent;
}

bool
ipsec_link_has_news(const struct ipsec_link *link)
{
	return ipsec_worker_has_news(link->links->worker);
}

void
ipsec_link_give_back(struct ipsec_link *link)
{
	if (link->waiting != NULL)
		free_packets(&link->waiting[1]);
}

unsigned
ipsec_link_receive(struct ipsec_link *link, struct ipsec_packet *v, unsigned n)
{
	struct ipsec_waiting *w;
	unsigned i;

	ipsec_link_give_back(link);
	for (i = 0; i < n && link->n_waiting > 0; i++, link->n_waiting--) {
		w = STAILQ_FIRST(&link->waiting[0]);
		STAILQ_REMOVE_HEAD(&link->waiting[0], next);
		STAILQ_INSERT_TAIL(&link->waiting[1], w, next);
		v[i] = (struct ipsec_packet){ .data = w->data, .len = w->len };
	}
	return i;
}

size_t
ipsec_link_waits(const struct ipsec_link *link)
{
	return link->n_waiting > 0 ? STAILQ_FIRST(&link->waiting[0])->len : 0;
}

/* The smallest of those that may carry the next packet. */
uint32_t
ipsec_link_mtu(const struct ipsec_link *link)
{
	const struct ipsec_link_child *c;
	uint32_t least = 0, mtu;

	SLIST_FOREACH(c, &link->children, of_link) {
		mtu = c->out ? ipsec_worker_mtu(link->links->worker, c->entry.id) : 0;
		if (mtu != 0 && (least == 0 || mtu < least))
			least = mtu;
	}
	return least;
}

void
ipsec_link_metrics(const struct ipsec_link *link, struct ipsec_metrics *m)
{
	const struct ipsec_datapath_ops *ops = link->links->worker->ops;
	const struct ipsec_link_child *c;
	struct ipsec_usage u;

	for (unsigned i = 0; i < 2; i++) {
		m->packets[i] += link->packets[i];
		m->octets[i] += link->octets[i];
	}
	m->replayed += link->replayed;
	m->forged += link->forged;
	m->selectors += link->selectors;
	m->overflow += link->overflow;
	m->unsent += link->unsent;
	SLIST_FOREACH(c, &link->children, of_link) {
		if (!c->in || !ops->usage(link->links->worker, c->entry.id, &u))
			continue;
		m->replayed += u.replay;
		m->forged += u.integrity;
		m->selectors += u.selectors;
	}
}

ike_id
ipsec_link_child(const struct ipsec_link *link, unsigned i)
{
	const struct ipsec_link_child *c;

	SLIST_FOREACH(c, &link->children, of_link)
		if (i-- == 0)
			return c->entry.id;
	return 0;
}
