#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipsec/config.h"

static bool
read_port(const char *text, uint16_t *port)
{
	unsigned long value = 0;

	if (*text == '\0' || strlen(text) > 5)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned long)(*text - '0');
	}
	if (value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

/* An IPv6 address has colons of its own: with a port it stands in brackets. */
bool
ipsec_place_parse(const char *text, uint16_t otherwise, struct ipsec_place *place)
{
	const char *host = text, *end = text + strlen(text), *port = NULL;
	const char *colon = strchr(text, ':');

	if (text[0] == '[') {
		host = text + 1;
		if ((end = strchr(host, ']')) == NULL || end == host ||
		    (end[1] != '\0' && end[1] != ':'))
			return false;
		port = end[1] == ':' ? end + 2 : NULL;
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		end = colon;
		port = colon + 1;
	}
	if ((size_t)(end - host) >= sizeof(place->host) || *text == '\0')
		return false;
	memset(place, 0, sizeof(*place));
	memcpy(place->host, host, (size_t)(end - host));
	place->port = otherwise;
	return port == NULL || read_port(port, &place->port);
}

const char *
ipsec_place_print(uint8_t family, const uint8_t addr[16], uint16_t port, char *text)
{
	char host[INET6_ADDRSTRLEN] = "";

	inet_ntop(family == 6 ? AF_INET6 : AF_INET, addr, host, sizeof(host));
	if (family == 0)
		text[0] = '\0';
	else
		snprintf(text, IPSEC_ADDRESS_LEN, family == 6 ? "[%s]:%u" : "%s:%u",
		    host, (unsigned)port);
	return text;
}
