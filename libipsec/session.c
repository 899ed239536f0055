#include <stdlib.h>
#include <string.h>

#include "libipsec/core.h"

/* ---- birth and end ---- */

struct ipsec_session *
ipsec_session_new(struct ipsec_core *c, ike_id id, const char *peer_id)
{
	size_t len = strlen(peer_id);
	struct ipsec_session *s = calloc(1, sizeof(*s) + len + 1);

	if (s == NULL)
		return NULL;
	ipsec_link_init(&s->link, c->links, id);
	s->core = c;
	memcpy(s->peer_id, peer_id, len + 1);
	if (!ipsec_index_add(&c->by_id, &s->link.entry)) {
		free(s);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&c->sessions, s, next);
	c->n_sessions++;
	return s;
}

struct ipsec_session *
ipsec_session_find(const struct ipsec_core *c, ike_id id)
{
	return ipsec_index_find(&c->by_id, id);
}

bool
ipsec_session_set_peer(struct ipsec_session *s, const struct ike_path *path)
{
	struct ipsec_peer *peer = &s->peer;
	bool elsewhere = peer->port != path->port[1] ||
	    memcmp(peer->addr, path->addr[1], sizeof(peer->addr)) != 0;

	peer->family = path->family;
	peer->port = path->port[1];
	memcpy(peer->addr, path->addr[1], sizeof(peer->addr));
	return elsewhere;
}

/* The peer's next word comes with the answer to its last, or soon. */
#define EMPTY (2 * IPSEC_SECOND)

void
ipsec_session_wait(struct ipsec_session *s)
{
	if (s->empty)
		return;
	s->empty = true;
	s->close_by = ipsec_now() + EMPTY;
	TAILQ_INSERT_TAIL(&s->core->empty, s, next_closing);
}

void
ipsec_session_go_on(struct ipsec_session *s)
{
	if (s->empty)
		TAILQ_REMOVE(&s->core->empty, s, next_closing);
	s->empty = false;
	s->error = IPSEC_OK;
}

static void
leave_lists(struct ipsec_session *s)
{
	if (s->empty)
		TAILQ_REMOVE(&s->core->empty, s, next_closing);
	if (s->closing)
		TAILQ_REMOVE(&s->core->closing, s, next_closing);
	s->empty = s->closing = false;
}

/* It stays in the list while the program hears of its end, and looks at the next one. */
void
ipsec_session_end(struct ipsec_session *s, enum ipsec_error error, bool silent)
{
	struct ipsec_core *c = s->core;
	const struct ipsec_said *said = !s->was_up && c->last.sa == s->link.entry.id ?
	    &c->last : NULL;
	bool was_up = s->was_up;

	if (s->ended)
		return;
	s->ended = true;
	s->up = false;
	ipsec_index_remove(&c->by_id, &s->link.entry);
	leave_lists(s);
	ipsec_session_add_metrics(s, &c->ended);
	c->ended.up_since = 0;
	ipsec_link_end(&s->link);
	if (!silent)
		ipsec_core_tell(c, s, was_up ? IPSEC_EVENT_DOWN : IPSEC_EVENT_FAILED,
		    said != NULL ? said->error : error, said);
	TAILQ_REMOVE(&c->sessions, s, next);
	TAILQ_INSERT_TAIL(&c->dead, s, next_closing);
	c->n_sessions--;
}

/* ---- packets ---- */

/* Why nothing can be sent. */
static enum ipsec_error
refuses(const struct ipsec_session *s)
{
	if (s->closing || s->core->shutting)
		return IPSEC_SHUT_DOWN;
	return s->up ? IPSEC_OK : IPSEC_NOT_CONNECTED;
}

unsigned
ipsec_session_send_packets(struct ipsec_session *s, struct ipsec_packet *v, unsigned n)
{
	struct ipsec_core *c = s->core;
	enum ipsec_error error = refuses(s);
	unsigned sent;

	if (error != IPSEC_OK) {
		for (unsigned i = 0; i < n; i++)
			v[i].error = error;
		return 0;
	}
	sent = ipsec_link_send(&s->link, v, n);
	if (ipsec_link_has_news(&s->link)) {
		ipsec_core_enter(c);
		ipsec_endpoint_carry(c->endpoint, ipsec_now());
		ipsec_core_leave(c);
	}
	return sent;
}

enum ipsec_error
ipsec_session_send_packet(struct ipsec_session *s, const void *packet, size_t len)
{
	struct ipsec_packet p = { .data = packet, .len = packet != NULL ? len : 0 };

	ipsec_session_send_packets(s, &p, 1);
	return p.error;
}

unsigned
ipsec_session_recv_packets(struct ipsec_session *s, struct ipsec_packet *v, unsigned n)
{
	return ipsec_link_receive(&s->link, v, n);
}

enum ipsec_error
ipsec_session_recv_packet(struct ipsec_session *s, void *packet, size_t room, size_t *len)
{
	struct ipsec_packet p;

	*len = ipsec_link_waits(&s->link);
	if (*len == 0)
		return IPSEC_AGAIN;
	if (*len > room)
		return IPSEC_TOO_BIG;
	ipsec_link_receive(&s->link, &p, 1);
	memcpy(packet, p.data, p.len);
	ipsec_link_give_back(&s->link);
	return IPSEC_OK;
}

size_t
ipsec_session_mtu(const struct ipsec_session *s)
{
	return s->up ? ipsec_link_mtu(&s->link) : 0;
}

/* ---- its course ---- */

enum ipsec_error
ipsec_session_rekey(struct ipsec_session *s, enum ipsec_rekey what)
{
	struct ipsec_core *c = s->core;
	enum ipsec_error error = refuses(s);
	enum ike_error ike = IKE_OK;
	ike_id child;

	if (error != IPSEC_OK)
		return error;
	if (what != IPSEC_REKEY_CHILD && what != IPSEC_REKEY_IKE)
		return IPSEC_INVALID;
	ipsec_core_enter(c);
	if (what == IPSEC_REKEY_IKE)
		ike = ipsec_endpoint_rekey(c->endpoint, ipsec_now(), s->link.entry.id);
	else
		for (unsigned i = 0; (child = ipsec_link_child(&s->link, i)) != 0; i++)
			ike = ipsec_endpoint_rekey(c->endpoint, ipsec_now(), child);
	ipsec_core_leave(c);
	return ike == IKE_NO_MEMORY ? IPSEC_NO_MEMORY : IPSEC_OK;
}

void
ipsec_session_close(struct ipsec_session *s)
{
	struct ipsec_core *c = s->core;
	ike_id child;

	if (s->closing || s->ended)
		return;
	ipsec_core_enter(c);
	leave_lists(s);
	s->closing = true;
	s->close_by = ipsec_now() + c->settings->shutdown_time;
	TAILQ_INSERT_TAIL(&c->closing, s, next_closing);
	if (s->question != 0)
		ipsec_session_accept(s, false);
	for (unsigned i = 0; (child = ipsec_link_child(&s->link, i)) != 0; i++)
		ipsec_endpoint_down(c->endpoint, ipsec_now(), child);
	if (!s->ended)
		ipsec_endpoint_down(c->endpoint, ipsec_now(), s->link.entry.id);
	ipsec_core_leave(c);
}

void
ipsec_session_accept(struct ipsec_session *s, bool accepted)
{
	struct ipsec_core *c = s->core;
	ike_id question = s->question;

	if (question == 0)
		return;
	s->question = 0;
	ipsec_core_enter(c);
	ipsec_endpoint_admit(c->endpoint, ipsec_now(), question, accepted ? IKE_OK :
	    IKE_AUTHENTICATION_FAILED);
	ipsec_core_leave(c);
}

/* ---- what it is ---- */

const char *
ipsec_session_peer_id(const struct ipsec_session *s)
{
	return s->peer_id;
}

const char *
ipsec_session_peer_address(const struct ipsec_session *s, char *text)
{
	return ipsec_place_print(s->peer.family, s->peer.addr, s->peer.port, text);
}

void *
ipsec_session_user(const struct ipsec_session *s)
{
	return s->user;
}

void
ipsec_session_set_user(struct ipsec_session *s, void *user)
{
	s->user = user;
}

bool
ipsec_session_is_up(const struct ipsec_session *s)
{
	return s->up && !s->closing;
}

void
ipsec_session_add_metrics(const struct ipsec_session *s, struct ipsec_metrics *m)
{
	ipsec_link_metrics(&s->link, m);
	m->ike_rekeys += s->ike_rekeys;
	m->child_rekeys += s->child_rekeys;
}

void
ipsec_session_metrics(const struct ipsec_session *s, struct ipsec_metrics *m)
{
	memset(m, 0, sizeof(*m));
	ipsec_session_add_metrics(s, m);
	m->up_since = s->up ? s->up_since : 0;
}
