/* MOBIKE, RFC 4555: an IKE SA and its Child SAs move to other addresses.
 *
 * The original initiator decides.  When its addresses have changed, or the peer no longer
 * answers where it was, it asks the host for a path, moves everything there, and says so
 * (UPDATE_SA_ADDRESSES) when the window is free (3.5).  The responder believes the
 * addresses that this request came by, answers there, and before ESP follows lets the
 * peer show that it is there: it must return a COOKIE2 (3.7).
 *
 * `pending` means that either is still to be sent; `busy`, that it is under way.  An
 * address that changes meanwhile makes it pending again, and the answer to the older one
 * means nothing. */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

enum { COOKIE2_MIN = 8, COOKIE2_MAX = 64 };	/* 4.2.5 */
/* A request that so many copies of went unanswered, and then every second one, makes us
 * try another address of the peer. */
enum { UNANSWERED = 4 };

static size_t
address_len(uint8_t family)
{
	return family == ESP_IPV6 ? 16 : 4;
}

static bool
same_path(const struct ike_path *a, const struct ike_path *b)
{
	return a->family == b->family && memcmp(a->port, b->port, sizeof(a->port)) == 0 &&
	    memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* ---- IKE_AUTH ---- */

/* For tunnels only: the selectors of transport mode are the very addresses (1.2). */
bool
ike_mobike_wants(const struct ike_connection *c)
{
	for (unsigned i = 0; i < c->n_children; i++)
		if (c->children[i].mode == IKE_MODE_TRANSPORT)
			return false;
	return c->mobike;
}

void
ike_mobike_offer(struct ike_chain *chain)
{
	ike_add_notify(chain, IKE_N_MOBIKE_SUPPORTED, bytes_of(NULL, 0));
}

static bool
is_address(const struct ike_notify *n)
{
	return n->type == IKE_N_ADDITIONAL_IP4_ADDRESS ||
	    n->type == IKE_N_ADDITIONAL_IP6_ADDRESS;
}

/* 0: not an address of this notify's family. */
static uint8_t
family_of(const struct ike_notify *n)
{
	uint8_t family =
	    n->type == IKE_N_ADDITIONAL_IP6_ADDRESS ? ESP_IPV6 : ESP_IPV4;

	return n->data.len == address_len(family) ? family : 0;
}

/* False: it is none, or the one that is in use. */
static bool
read_address(const struct ike_sa *sa, const struct ike_notify *n, struct ike_address *a)
{
	*a = (struct ike_address){ .family = family_of(n) };
	if (a->family == 0)
		return false;
	memcpy(a->octets, n->data.p, n->data.len);
	return a->family != sa->path.family ||
	    memcmp(a->octets, sa->path.addr[1], sizeof(a->octets)) != 0;
}

/* The list replaces the one before (3.6).  Without memory there is none. */
static void
keep_addresses(struct ike_sa *sa, const struct ike_message *m)
{
	struct ike_mobile *mobile = &sa->mobile;
	struct ike_address v[IKE_MOST_ADDRESSES];
	struct ike_notify notify;
	uint8_t n = 0;

	for (unsigned i = 0; i < m->n && n < IKE_MOST_ADDRESSES; i++)
		if (m->v[i].type == IKE_PAYLOAD_NOTIFY &&
		    ike_parse_notify(m->v[i].body, &notify) == IKE_OK &&
		    is_address(&notify) && read_address(sa, &notify, &v[n]))
			n++;
	free(mobile->others);
	mobile->others = n > 0 ? malloc(n * sizeof(*v)) : NULL;
	mobile->n = mobile->others != NULL ? n : 0;
	if (mobile->n > 0)
		memcpy(mobile->others, v, n * sizeof(*v));
	if (mobile->left > mobile->n)	/* a search may be under way */
		mobile->left = mobile->n;
}

void
ike_mobike_agree(struct ike_sa *sa, const struct ike_message *m)
{
	struct ike_notify n;

	sa->mobile.on = ike_mobike_wants(sa->connection) &&
	    ike_find_notify(m, IKE_N_MOBIKE_SUPPORTED, &n);
	sa->mobile.initiator = sa->initiator;
	if (sa->mobile.on)
		keep_addresses(sa, m);
}

/* 3.9: source and destination address, source and destination port, as its sender sees
 * them. */
static enum ike_error
check_nats(struct bytes data, const struct ike_path *path)
{
	size_t len = address_len(path->family);
	uint8_t seen[2 * 16 + 2 * 2];

	if (data.len != 2 * 4 + 2 * 2 && data.len != 2 * 16 + 2 * 2)
		return IKE_INVALID_SYNTAX;
	memcpy(seen, path->addr[1], len);
	memcpy(seen + len, path->addr[0], len);
	bytes_store16(seen + 2 * len, path->port[1]);
	bytes_store16(seen + 2 * len + 2, path->port[0]);
	return bytes_equal(data, bytes_of(seen, 2 * len + 4)) ?
	    IKE_OK : IKE_UNEXPECTED_NAT_DETECTED;
}

enum ike_error
ike_mobike_check_nats(const struct ike_connection *c, const struct ike_message *m,
    const struct ike_path *path)
{
	struct ike_notify n;

	if (!ike_mobike_wants(c) || !ike_find_notify(m, IKE_N_MOBIKE_SUPPORTED, &n) ||
	    !ike_find_notify(m, IKE_N_NO_NATS_ALLOWED, &n))
		return IKE_OK;
	return check_nats(n.data, path);
}

/* ---- what NAT detection says of a path ---- */

static bool
mapping_of(const struct ike_message *m, struct bytes *hash)
{
	struct ike_notify n;

	if (!ike_find_notify(m, IKE_N_NAT_DETECTION_DESTINATION_IP, &n) ||
	    n.data.len != IKE_NATD_LEN)
		return false;
	*hash = n.data;
	return true;
}

/* A NAT that was not there before turns UDP encapsulation on; one that is gone leaves it
 * on, since it may come back.  True: it was turned on. */
static bool
take_detection(struct ike *e, struct ike_sa *sa, const struct ike_message *m,
    const struct ike_path *path)
{
	bool before = sa->encap;
	struct ike_nat nat;

	if (!sa->natd || !ike_natd_read(m, path, sa->spi_i, sa->spi_r, &nat) ||
	    !nat.supported)
		return false;
	sa->nat_here = nat.here;
	sa->nat_there = nat.there;
	if ((nat.here || nat.there) && sa->connection->encap != IKE_ENCAP_NEVER)
		sa->encap = true;
	ike_liveness_nat(e, sa);
	return sa->encap && !before;
}

static void
add_detection(struct ike *e, const struct ike_sa *sa, const struct ike_path *path,
    struct ike_chain *chain)
{
	ike_natd_add(
	    chain, path, sa->spi_i, sa->spi_r, ike_natd_force(e, sa->connection));
}

void
ike_mobike_add_detection(
    struct ike *e, const struct ike_sa *sa, struct ike_chain *chain)
{
	if (sa->mobile.on && sa->mobile.initiator && sa->natd && sa->nat_here)
		add_detection(e, sa, &sa->path, chain);
}

enum ike_error
ike_mobike_compare(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_mobile *mobile = &sa->mobile;
	struct bytes before = bytes_of(mobile->mapping, sizeof(mobile->mapping)), now;

	(void)e;
	if (mobile->on && mobile->initiator && sa->nat_here &&
	    mapping_of(x->message, &now) && !(mobile->mapped && bytes_equal(now, before)))
		mobile->pending = true;
	return IKE_OK;
}

/* ---- the original initiator: UPDATE_SA_ADDRESSES ---- */

static enum ike_error
send_update(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_chain chain = ike_chain_begin(e);

	sa->mobile.pending = false;
	sa->mobile.busy = true;
	ike_add_notify(&chain, IKE_N_UPDATE_SA_ADDRESSES, bytes_of(NULL, 0));
	if (sa->natd)
		add_detection(e, sa, &sa->path, &chain);
	return ike_exchange_send(e, x, &chain);
}

/* A peer that takes no ESP from here leaves nothing to keep: a new SA may do better. */
static enum ike_error
updated(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	enum ike_error refused = ike_first_error(x->message);
	struct bytes hash;

	sa->mobile.busy = false;
	if (sa->mobile.pending || sa->state != IKE_STATE_ESTABLISHED)
		return IKE_OK;
	if (refused != IKE_OK) {
		ike_refused_by_peer(e, sa, refused, NULL);
		return refused;
	}
	sa->mobile.mapped = mapping_of(x->message, &hash);
	if (sa->mobile.mapped)
		memcpy(sa->mobile.mapping, hash.p, hash.len);
	if (take_detection(e, sa, x->message, &x->path) && !ike_sa_move_children(e, sa))
		return IKE_NO_MEMORY;
	return IKE_OK;
}

static ike_step *const update_steps[] = { send_update, updated, NULL };

/* ---- the responder: return routability ---- */

static enum ike_error
send_check(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_chain chain = ike_chain_begin(e);

	sa->mobile.pending = false;
	sa->mobile.busy = true;
	e->random.fill(e->random.arg, x->cookie2, sizeof(x->cookie2));
	ike_add_notify(
	    &chain, IKE_N_COOKIE2, bytes_of(x->cookie2, sizeof(x->cookie2)));
	return ike_exchange_send(e, x, &chain);
}

static enum ike_error
not_there(struct ike *e, const struct ike_sa *sa)
{
	struct ike_refusal r = ike_refusal(IKE_INVALID_SYNTAX,
	    "the peer moved, and did not return our cookie from its new address");

	r.setting = "mobike";
	ike_say_refused(e, sa, 0, &r);
	return IKE_INVALID_SYNTAX;
}

/* 3.7: another cookie, or none, ends the SA. */
static enum ike_error
checked(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_notify n;

	sa->mobile.busy = false;
	if (!ike_find_notify(x->message, IKE_N_COOKIE2, &n) ||
	    n.data.len != sizeof(x->cookie2) ||
	    sodium_memcmp(n.data.p, x->cookie2, sizeof(x->cookie2)) != 0)
		return not_there(e, sa);
	if (sa->mobile.pending || sa->state != IKE_STATE_ESTABLISHED)
		return IKE_OK;
	free(sa->mobile.proven);
	sa->mobile.proven = NULL;
	return ike_sa_move_children(e, sa) ? IKE_OK : IKE_NO_MEMORY;
}

static ike_step *const check_steps[] = { send_check, checked, NULL };

const struct ike_path *
ike_mobike_esp_path(const struct ike_sa *sa)
{
	return sa->mobile.proven != NULL ? sa->mobile.proven : &sa->path;
}

/* An SA whose ESP goes astray is better ended. */
static void
give_up(struct ike *e, struct ike_sa *sa)
{
	sa->mobile.pending = false;
	sa->hint = IKE_NO_MEMORY;
	ike_info_delete_sa(e, sa);
}

void
ike_mobike_begin(struct ike *e, struct ike_sa *sa)
{
	struct ike_exchange *x = ike_exchange_new(
	    sa, true, INFORMATIONAL, sa->mobile.initiator ? update_steps : check_steps);

	if (x != NULL)
		ike_exchange_begin(e, sa, x);
	else
		give_up(e, sa);
}

/* ---- an INFORMATIONAL request of the peer ---- */

static enum ike_error
read_notify(struct ike_mobike_wish *wish, const struct ike_notify *n,
    const struct ike_path *path)
{
	switch (n->type) {
	case IKE_N_UPDATE_SA_ADDRESSES:
		wish->update = true;
		break;
	case IKE_N_ADDITIONAL_IP4_ADDRESS:
	case IKE_N_ADDITIONAL_IP6_ADDRESS:
		if (family_of(n) == 0)
			return IKE_INVALID_SYNTAX;
		wish->addresses = true;
		break;
	case IKE_N_NO_ADDITIONAL_ADDRESSES:
		wish->addresses = true;
		break;
	case IKE_N_COOKIE2:
		if (n->data.len < COOKIE2_MIN || n->data.len > COOKIE2_MAX)
			return IKE_INVALID_SYNTAX;
		wish->cookie = n->data;
		break;
	case IKE_N_NO_NATS_ALLOWED:
		wish->refused = check_nats(n->data, path);
		if (wish->refused == IKE_INVALID_SYNTAX)
			return IKE_INVALID_SYNTAX;
		break;
	case IKE_N_NAT_DETECTION_SOURCE_IP:
	case IKE_N_NAT_DETECTION_DESTINATION_IP:
		wish->detection = true;
		break;
	}
	return IKE_OK;
}

/* Can ESP of this SA go where the request came from? */
static bool
is_usable(const struct ike *e, const struct ike_sa *sa, const struct ike_path *path)
{
	uint8_t first = path->addr[1][0];
	bool ike_only = path->port[0] == e->port && e->port != e->natt_port;

	if (path->port[1] == 0 || (sa->encap && ike_only))
		return false;
	return path->family == ESP_IPV6 ? first != 0xff : first > 0 && first < 224;
}

enum ike_error
ike_mobike_read(struct ike *e, const struct ike_sa *sa, const struct ike_exchange *x,
    struct ike_mobike_wish *wish)
{
	enum ike_error error = IKE_OK;
	struct ike_notify n;

	memset(wish, 0, sizeof(*wish));
	for (unsigned i = 0; sa->mobile.on && i < x->message->n && error == IKE_OK; i++)
		if (x->message->v[i].type == IKE_PAYLOAD_NOTIFY &&
		    ike_parse_notify(x->message->v[i].body, &n) == IKE_OK)
			error = read_notify(wish, &n, &x->path);
	if (sa->mobile.initiator)		/* we move when we say so */
		wish->update = false;
	if (!wish->update && !wish->addresses)
		wish->refused = IKE_OK;
	if (wish->update && wish->refused == IKE_OK && !is_usable(e, sa, &x->path))
		wish->refused = IKE_UNACCEPTABLE_ADDRESSES;
	return error;
}

/* 3.5, 3.7, 3.8: what of this was asked, in every answer. */
void
ike_mobike_answer(struct ike *e, const struct ike_sa *sa, const struct ike_exchange *x,
    const struct ike_mobike_wish *wish, struct ike_chain *chain)
{
	if (wish->refused != IKE_OK)
		ike_add_notify(chain, (uint16_t)wish->refused, bytes_of(NULL, 0));
	else if (wish->detection && sa->natd)
		add_detection(e, sa, &x->path, chain);
	if (wish->cookie.len > 0)
		ike_add_notify(chain, IKE_N_COOKIE2, wish->cookie);
}

/* ESP goes on where it went, that of Child SAs to come, too: whoever can say where it is
 * could have others flooded.  False: no memory. */
static bool
keep_esp(struct ike_sa *sa)
{
	struct ike_path *here;

	if (sa->mobile.proven != NULL)
		return true;
	if ((here = malloc(sizeof(*here))) == NULL)
		return false;
	*here = sa->path;
	sa->mobile.proven = here;
	return true;
}

static void
follow(struct ike *e, struct ike_sa *sa, const struct ike_exchange *x,
    const struct ike_mobike_wish *wish)
{
	bool turned_on = wish->detection &&
	    take_detection(e, sa, x->message, &x->path);
	bool moved = !same_path(&sa->path, &x->path);

	if (turned_on || moved)
		sa->mobile.pending = true;
	if (!moved)
		return;
	if (!keep_esp(sa)) {
		give_up(e, sa);
		return;
	}
	sa->path = x->path;
	ike_window_moved(e, sa, true);
}

void
ike_mobike_obey(struct ike *e, struct ike_sa *sa, const struct ike_exchange *x,
    const struct ike_mobike_wish *wish)
{
	if (wish->refused != IKE_OK || sa->state != IKE_STATE_ESTABLISHED)
		return;
	if (wish->update)
		follow(e, sa, x, wish);
	if (wish->addresses)
		keep_addresses(sa, x->message);
}

/* ---- the original initiator: another path ---- */

static enum ike_error
ask_path(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	(void)sa;
	return ike_ask(e, x, IKE_ASK_RESOLVE, NULL) == IKE_WAIT ? IKE_WAIT : IKE_OK;
}

static ike_step take_path;
static ike_step *const look_steps[] = { ask_path, take_path, NULL };

/* Asks how to get to this address.  Without memory a later reason to look finds it. */
static void
ask(struct ike *e, struct ike_sa *sa, uint8_t family, const uint8_t *octets)
{
	struct ike_exchange *x = ike_exchange_new(sa, true, INFORMATIONAL, look_steps);

	if (x == NULL)
		return;
	inet_ntop(family == ESP_IPV6 ? AF_INET6 : AF_INET, octets, x->remote,
	    sizeof(x->remote));
	sa->mobile.asking = x;
	ike_exchange_run(e, x);
}

static void
ask_other(struct ike *e, struct ike_sa *sa)
{
	struct ike_mobile *mobile = &sa->mobile;
	const struct ike_address *a = &mobile->others[mobile->turn++ % mobile->n];

	ask(e, sa, a->family, a->octets);
}

static bool
may_look(const struct ike_sa *sa)
{
	return sa->mobile.on && sa->mobile.initiator &&
	    sa->state >= IKE_STATE_ESTABLISHED && sa->state != IKE_STATE_CLOSED;
}

void
ike_mobike_look(struct ike *e, struct ike_sa *sa)
{
	struct ike_mobile *mobile = &sa->mobile;

	if (!may_look(sa))
		return;
	mobile->roamed = true;
	mobile->again = mobile->asking != NULL;
	mobile->left = mobile->n;
	if (!mobile->again)
		ask(e, sa, sa->path.family, sa->path.addr[1]);
}

void
ike_mobike_unanswered(struct ike *e, struct ike_sa *sa)
{
	unsigned sent = sa->window.sent;

	if (!may_look(sa) || sa->mobile.n == 0 || sa->mobile.asking != NULL ||
	    sent < UNANSWERED || sent % 2 != 0)
		return;
	sa->mobile.left = 0;
	ask_other(e, sa);
}

/* The address that is left takes the place of the one that is used now. */
static void
exchange_address(struct ike_sa *sa, const struct ike_path *to)
{
	struct ike_address before = { .family = sa->path.family };

	memcpy(before.octets, sa->path.addr[1], sizeof(before.octets));
	for (unsigned i = 0; i < sa->mobile.n; i++)
		if (sa->mobile.others[i].family == to->family &&
		    memcmp(sa->mobile.others[i].octets, to->addr[1],
		    sizeof(to->addr[1])) == 0)
			sa->mobile.others[i] = before;
}

/* An SA that is no longer in use moves for its DELETE alone. */
static enum ike_error
move_to(struct ike *e, struct ike_sa *sa, const struct ike_path *path)
{
	exchange_address(sa, path);
	if (sa->state != IKE_STATE_ESTABLISHED)
		sa->path = *path;
	else if (!ike_sa_move(e, sa, path))
		return IKE_NO_MEMORY;
	else
		sa->mobile.pending = true;
	ike_window_moved(e, sa, sa->mobile.roamed);
	return IKE_OK;
}

/* No way to this address: to another one, perhaps.  If there is none, the next change
 * of our addresses will be told, and until then the peer is silent. */
static enum ike_error
take_path(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_mobile *mobile = &sa->mobile;
	struct ike_path path = x->answer_path;
	enum ike_error error = IKE_OK;

	mobile->asking = NULL;
	if (mobile->again) {
		ike_mobike_look(e, sa);
		return IKE_OK;
	}
	path.port[0] = sa->path.port[0];
	path.port[1] = sa->path.port[1];
	if (x->answer_error != IKE_OK ||
	    (path.family != ESP_IPV4 && path.family != ESP_IPV6)) {
		if (mobile->left > 0) {
			mobile->left--;
			ask_other(e, sa);
		}
		return IKE_OK;
	}
	if (!same_path(&sa->path, &path))
		error = move_to(e, sa, &path);
	mobile->roamed = false;
	return error;
}

/* ---- life ---- */

void
ike_mobike_inherit(struct ike *e, struct ike_sa *to, struct ike_sa *from)
{
	bool asking = from->mobile.asking != NULL;

	ike_mobike_stop(e, from);
	free(to->mobile.others);
	free(to->mobile.proven);
	to->mobile = from->mobile;
	to->mobile.pending = from->mobile.pending || from->mobile.busy;
	to->mobile.busy = to->mobile.mapped = false;	/* it hashes the SPIs, too */
	from->mobile.pending = false;
	from->mobile.others = NULL;
	from->mobile.proven = NULL;
	from->mobile.n = 0;
	if (asking)
		ike_mobike_look(e, to);
}

void
ike_mobike_stop(struct ike *e, struct ike_sa *sa)
{
	ike_exchange_cancel(e, sa->mobile.asking);
	sa->mobile.asking = NULL;
}
