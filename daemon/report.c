#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/report.h"

static const char *const state_names[] = {
	[REPORT_DOWN] = "down", [REPORT_CONNECTING] = "connecting", [REPORT_UP] = "up",
	[REPORT_CLOSING] = "closing", [REPORT_CHILDLESS] = "up without Child SA",
};

static const char *const start_names[] = {
	[IKE_START_PASSIVE] = "passive", [IKE_START_ON_DEMAND] = "on-demand",
	[IKE_START_ALWAYS] = "always",
};

static const char *const sa_states[] = {
	[IKE_STATE_INIT_SENT] = "connecting", [IKE_STATE_INIT_DONE] = "connecting",
	[IKE_STATE_AUTH_SENT] = "connecting", [IKE_STATE_ESTABLISHED] = "established",
	[IKE_STATE_UNSETTLED] = "unsettled", [IKE_STATE_REPLACED] = "replaced",
	[IKE_STATE_CLOSING] = "closing", [IKE_STATE_CLOSED] = "closed",
};

/* The best of its SAs counts. */
enum report_state
report_state(const struct ike *ike, ike_id connection)
{
	static const unsigned worth[] = { [REPORT_DOWN] = 0, [REPORT_CLOSING] = 1,
	    [REPORT_CONNECTING] = 2, [REPORT_CHILDLESS] = 3, [REPORT_UP] = 4 };
	enum report_state best = REPORT_DOWN, state;
	struct ike_sa_info sa;

	for (ike_id id = 0; ike_next_sa_of(ike, connection, id, &sa); id = sa.id) {
		state = sa.state == IKE_STATE_ESTABLISHED ?
		    sa.n_children > 0 ? REPORT_UP : REPORT_CHILDLESS :
		    sa.state == IKE_STATE_CLOSING || sa.state == IKE_STATE_REPLACED ?
		    REPORT_CLOSING :
		    sa.state == IKE_STATE_CLOSED ? REPORT_DOWN : REPORT_CONNECTING;
		if (worth[state] > worth[best])
			best = state;
	}
	return best;
}

static void
escape_lines(const char *text, char *out, size_t size)
{
	const char *end = out + size;
	size_t len;

	for (;;) {
		len = strcspn(text, "\n");
		log_escape(text, len, out, (size_t)(end - out));
		out += strlen(out);
		text += len;
		if (*text == '\0')
			return;
		*out++ = *text++;
	}
}

json_t *
report_text(const char *text)
{
	json_t *string = json_string(text);
	size_t size = 4 * strlen(text) + 1;
	char *escaped;

	if (string != NULL || (escaped = malloc(size)) == NULL)
		return string;
	escape_lines(text, escaped, size);
	string = json_string(escaped);
	free(escaped);
	return string;
}

json_t *
report_append(json_t *list, json_t *item)
{
	if (item != NULL && json_array_append_new(list, item) == 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *
address(const struct ike_path *path, unsigned end)
{
	char host[INET6_ADDRSTRLEN] = "", text[INET6_ADDRSTRLEN + 16];

	if (path->family == 0)
		return json_string("");
	inet_ntop(path->family == ESP_IPV6 ? AF_INET6 : AF_INET, path->addr[end], host,
	    sizeof(host));
	snprintf(text, sizeof(text), path->family == ESP_IPV6 ? "[%s]:%u" : "%s:%u", host,
	    path->port[end]);
	return json_string(text);
}

static json_t *
hexadecimal(uint64_t number, int digits)
{
	char text[20];

	snprintf(text, sizeof(text), "%0*" PRIx64, digits, number);
	return json_string(text);
}

/* Each range once, though it stands in several pairs. */
static json_t *
ranges(const struct esp_selector *v, unsigned n, bool local)
{
	json_t *list = json_array(), *known = json_object();
	char text[ESP_RANGE_TEXT];

	for (unsigned i = 0; i < n && list != NULL; i++) {
		esp_range_print(local ? &v[i].local : &v[i].remote, text, sizeof(text));
		if (json_object_get(known, text) == NULL)
			list = report_append(list,
			    json_object_set_new(known, text, json_true()) == 0 ?
				json_string(text) :
				NULL);
	}
	json_decref(known);
	return list;
}

static json_t *
proposal(const struct ike_child *c)
{
	char text[80], encr[IKE_NAME_LEN], integ[IKE_NAME_LEN];
	const struct esp_transform *t = c->transform;

	snprintf(text, sizeof(text), "%s%s%s%s",
	    ike_transform_name(IKE_ENCR, t->encr, t->key_bits, encr),
	    t->integ != 0 ? "-" : "",
	    t->integ != 0 ? ike_transform_name(IKE_INTEG, t->integ, 0, integ) : "",
	    c->esn ? "-esn" : "");
	return json_string(text);
}

static json_int_t
seconds_since(ike_time then)
{
	return (ipsec_now() - then) / IKE_SECOND;
}

/* Until `then`, of something that never comes null. */
static json_t *
seconds_until(ike_time then)
{
	ike_time left = then - ipsec_now();

	return then == 0 ? json_null() : json_integer(left > 0 ? left / IKE_SECOND : 0);
}

static json_t *
report_child(struct ipsec_endpoint *e, const struct ike_child_info *info)
{
	const struct ike_child *c = &info->child;
	struct ipsec_usage u = { 0 };

	ipsec_endpoint_usage(e, info->id, &u);
	return json_pack(
	    "{ss so so so sb so so sI sI sI sI sI sI sI sI sI sb so so}", "name",
	    c->name, "spi_in", hexadecimal(c->spi_in, 8), "spi_out",
	    hexadecimal(c->spi_out, 8), "proposal", proposal(c), "encapsulated", c->encap,
	    "local", ranges(c->selectors, c->n_selectors, true), "remote",
	    ranges(c->selectors, c->n_selectors, false), "bytes_in",
	    (json_int_t)u.octets[0], "bytes_out", (json_int_t)u.octets[1], "packets_in",
	    (json_int_t)u.packets[0], "packets_out", (json_int_t)u.packets[1],
	    "dropped_replay", (json_int_t)u.replay, "dropped_integrity",
	    (json_int_t)u.integrity, "dropped_selectors", (json_int_t)u.selectors, "age",
	    seconds_since(info->since), "generation", (json_int_t)info->generation,
	    "replaced", info->replaced, "rekey_in", seconds_until(info->rekey_at),
	    "ends_in", seconds_until(info->ends_at));
}

static const char *
nat(const struct ike_sa_info *sa)
{
	return sa->nat_here ? sa->nat_there ? "both" : "local" :
	    sa->nat_there   ? "remote" :
			      "none";
}

static json_t *
report_sa(struct ipsec_endpoint *e, const struct ike_sa_info *sa)
{
	const struct ike *ike = ipsec_endpoint_engine(e);
	json_t *children = json_array();
	struct ike_child_info child;

	for (unsigned i = 0; ike_child_at(ike, sa->id, i, &child); i++)
		children = report_append(children, report_child(e, &child));
	return json_pack("{sI ss sb so so ss ss ss so so ss sI sI sI sI sI so so so so}",
	    "id", (json_int_t)sa->id, "state", sa_states[sa->state],
	    "initiator", sa->initiator, "local_address", address(&sa->path, 0),
	    "remote_address", address(&sa->path, 1), "local_id", sa->local_id,
	    "remote_id", sa->remote_id, "proposal", sa->proposal,
	    "spi_i", hexadecimal(sa->spi_i, 16), "spi_r", hexadecimal(sa->spi_r, 16),
	    "nat", nat(sa), "age", seconds_since(sa->since), "generation",
	    (json_int_t)sa->generation, "child_rekeys", (json_int_t)sa->child_rekeys,
	    "collisions_won", (json_int_t)sa->collisions_won, "collisions_lost",
	    (json_int_t)sa->collisions_lost, "rekey_in", seconds_until(sa->rekey_at),
	    "ends_in", seconds_until(sa->ends_at), "reauth_in",
	    seconds_until(sa->reauth_at), "children", children);
}

json_t *
report_connection(struct ipsec_endpoint *e, ike_id connection, const struct configured *c,
    const char *refusal)
{
	const struct ike *ike = ipsec_endpoint_engine(e);
	const struct ike_connection *settings = c->connection;
	char local[256], remote[256];
	json_t *sas = json_array();
	struct ike_sa_info sa;

	for (ike_id id = 0; ike_next_sa_of(ike, connection, id, &sa); id = sa.id)
		if (sa.state != IKE_STATE_CLOSED)
			sas = report_append(sas, report_sa(e, &sa));
	return json_pack("{ss ss ss ss ss ss so so}", "name", c->name, "state",
	    state_names[report_state(ike, connection)], "start",
	    start_names[settings->start], "local_id",
	    ike_id_print(settings->local_id.type, settings->local_id.data, local,
		sizeof(local)),
	    "remote_id",
	    ike_id_print(settings->remote_id.type, settings->remote_id.data, remote,
		sizeof(remote)),
	    "remote_address", settings->remote.text, "refusal",
	    refusal != NULL ? report_text(refusal) : json_null(), "sas", sas);
}
