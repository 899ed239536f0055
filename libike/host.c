#include <stdlib.h>
#include <string.h>

#include "libike/host.h"
#include "libike/id.h"

/* One host's own address, and neither "any" in disguise nor a group's. */
static bool
is_address(uint8_t family, const uint8_t *addr)
{
	static const uint8_t zero[16];

	if (memcmp(addr, zero, family == ESP_IPV4 ? 4 : 16) == 0)
		return false;
	return family == ESP_IPV4 ? addr[0] < 224 && addr[0] != 0 : addr[0] != 0xff;
}

/* A range of addresses alone: no protocol, no port. */
static bool
parse_range(const char *text, struct ike_host *h)
{
	if (strchr(text, '[') != NULL || !esp_range_parse(text, &h->range) ||
	    !is_address(h->range.family, h->range.addr[1]))
		return false;
	h->kind = memcmp(h->range.addr[0], h->range.addr[1], 16) == 0 ? IKE_HOST_ADDRESS :
	    IKE_HOST_RANGE;
	return strchr(text, '/') == NULL || h->kind == IKE_HOST_RANGE;
}

/* A host name is written as an identity of that type is. */
static enum ike_host_error
parse_name(const char *text, struct ike_host *h)
{
	struct ike_identity id = { 0 };
	const char *why = "";
	bool named = false;

	if (*text != '@' && ike_id_parse(text, &id, &why))
		named = id.type == IKE_ID_FQDN;
	ike_id_free(&id);
	if (named) {
		h->kind = IKE_HOST_NAME;
		return IKE_HOST_GOOD;
	}
	return strcmp(why, "out of memory") == 0 ? IKE_HOST_NO_MEMORY : IKE_HOST_WRONG;
}

enum ike_host_error
ike_host_parse(const char *text, struct ike_host *h)
{
	enum ike_host_error error = IKE_HOST_GOOD;

	memset(h, 0, sizeof(*h));
	if (strcmp(text, "any") == 0 || strcmp(text, "%any") == 0)
		text = "any";
	else if (!parse_range(text, h))
		error = parse_name(text, h);
	if (error == IKE_HOST_GOOD && (h->text = strdup(text)) == NULL)
		error = IKE_HOST_NO_MEMORY;
	return error;
}

void
ike_host_free(struct ike_host *h)
{
	free(h->text);
	h->text = NULL;
}

void
ike_hosts_free(struct ike_hosts *hosts)
{
	for (unsigned i = 0; i < hosts->n; i++)
		ike_host_free(&hosts->v[i]);
	free(hosts->v);
	free(hosts->text);
	*hosts = (struct ike_hosts){ 0 };
}

static enum ike_host_error
add(struct ike_hosts *hosts, const char *part)
{
	struct ike_host *v = realloc(hosts->v, (hosts->n + 1) * sizeof(*v));
	enum ike_host_error error;

	if (v == NULL)
		return IKE_HOST_NO_MEMORY;
	hosts->v = v;
	error = ike_host_parse(part, &v[hosts->n]);
	if (error == IKE_HOST_GOOD)
		hosts->n++;
	return error;
}

/* "any" among others makes the others pointless; its place, or n. */
static unsigned
find_any(const struct ike_hosts *hosts)
{
	unsigned i = 0;

	while (i < hosts->n && hosts->v[i].kind != IKE_HOST_ANY)
		i++;
	return i;
}

enum ike_host_error
ike_hosts_parse(const char *text, struct ike_hosts *hosts, unsigned *wrong)
{
	char *parts = strdup(text), *part = parts, *end;
	enum ike_host_error error = parts != NULL ? IKE_HOST_GOOD : IKE_HOST_NO_MEMORY;

	*hosts = (struct ike_hosts){ 0 };
	while (error == IKE_HOST_GOOD && part != NULL) {
		if ((end = strchr(part, ',')) != NULL)
			*end++ = '\0';
		while (hosts->n > 0 && *part == ' ')
			part++;
		error = add(hosts, part);
		part = end;
	}
	free(parts);
	*wrong = error == IKE_HOST_GOOD ? find_any(hosts) : hosts->n;
	if (error == IKE_HOST_GOOD && hosts->n > 1 && *wrong < hosts->n)
		error = IKE_HOST_WRONG;
	if (error == IKE_HOST_GOOD && (hosts->text = strdup(hosts->n == 1 ?
	    hosts->v[0].text : text)) == NULL)
		error = IKE_HOST_NO_MEMORY;
	if (error != IKE_HOST_GOOD)
		ike_hosts_free(hosts);
	return error;
}

bool
ike_host_matches(const struct ike_host *h, uint8_t family, const uint8_t addr[16])
{
	return h->kind == IKE_HOST_ANY || h->kind == IKE_HOST_NAME ||
	    esp_range_has_address(&h->range, family, addr);
}

bool
ike_hosts_match(const struct ike_hosts *hosts, uint8_t family, const uint8_t addr[16])
{
	for (unsigned i = 0; i < hosts->n; i++)
		if (ike_host_matches(&hosts->v[i], family, addr))
			return true;
	return false;
}

static bool
is_callable(const struct ike_host *h)
{
	return h->kind == IKE_HOST_ADDRESS || h->kind == IKE_HOST_NAME;
}

const struct ike_host *
ike_hosts_callable(const struct ike_hosts *hosts, unsigned turn)
{
	const struct ike_host *found = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < hosts->n; i++)
		n += is_callable(&hosts->v[i]);
	if (n == 0)
		return NULL;
	turn %= n;
	for (unsigned i = 0; found == NULL; i++)
		if (is_callable(&hosts->v[i]) && turn-- == 0)
			found = &hosts->v[i];
	return found;
}

const struct ike_host *
ike_hosts_only(const struct ike_hosts *hosts)
{
	const struct ike_host *first = hosts->v;

	return hosts->n == 1 && first->kind == IKE_HOST_ADDRESS ? first : NULL;
}
