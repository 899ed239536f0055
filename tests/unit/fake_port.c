#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_port.h"

static struct fake_port *
of(struct ipsec_port *p)
{
	return (struct fake_port *)p;
}

static void
append(struct fake_queue *q, const uint8_t *data, uint32_t len, uint8_t verdict,
    uint32_t mtu)
{
	struct fake_packet *p = &q->v[q->n];

	ck_assert_uint_lt(q->n, FAKE_PACKETS);
	*p = (struct fake_packet){ malloc(len > 0 ? len : 1), len, verdict, mtu };
	ck_assert_ptr_nonnull(p->data);
	memcpy(p->data, data, len);
	q->n++;
}

static void
clear(struct fake_queue *q)
{
	for (unsigned i = 0; i < q->n; i++)
		free(q->v[i].data);
	q->n = q->taken = 0;
}

static unsigned
read_packets(struct ipsec_port *port, struct esp_packet *v, unsigned n)
{
	struct fake_queue *in = &of(port)->in;
	unsigned i;

	for (i = 0; i < n && in->taken < in->n; i++, in->taken++) {
		ck_assert_uint_ge(v[i].head, IPSEC_HEADROOM);
		ck_assert_uint_le(in->v[in->taken].len, v[i].len);
		v[i].len = in->v[in->taken].len;
		memcpy(v[i].data, in->v[in->taken].data, v[i].len);
	}
	if (in->taken == in->n)
		clear(in);
	return i;
}

static void
write_packets(struct ipsec_port *port, struct esp_packet *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i].verdict == ESP_OK)
			append(&of(port)->out, v[i].data, v[i].len, ESP_OK, 0);
}

static void
refuse(struct ipsec_port *port, const struct esp_packet *p, uint32_t mtu)
{
	append(&of(port)->refused, p->data, p->len, p->verdict, mtu);
}

static void
close_port(struct ipsec_port *port)
{
	clear(&of(port)->in);
}

static const struct ipsec_port_ops fake_ops = {
	.read = read_packets, .write = write_packets, .refuse = refuse,
	.close = close_port,
};

void
fake_port_init(struct fake_port *p)
{
	memset(p, 0, sizeof(*p));
	p->port.ops = &fake_ops;
	p->port.fd = -1;
}

void
fake_port_clear(struct fake_port *p)
{
	clear(&p->out);
	clear(&p->refused);
}

void
fake_port_push(struct fake_port *p, const uint8_t *data, uint32_t len)
{
	append(&p->in, data, len, ESP_OK, 0);
}

uint32_t
fake_packet(uint8_t *buf, const char *from, const char *to, uint32_t len, uint8_t tag)
{
	bool v6 = strchr(from, ':') != NULL;
	uint8_t *udp = buf + (v6 ? 40 : 20);

	ck_assert_uint_ge(len, 48);
	memset(buf, 0x5a, len);
	memset(buf, 0, v6 ? 48 : 28);
	if (v6) {
		buf[0] = 0x60;
		bytes_store16(buf + 4, (uint16_t)(len - 40));
		buf[6] = 17;
		buf[7] = 64;
		ck_assert_int_eq(inet_pton(AF_INET6, from, buf + 8), 1);
		ck_assert_int_eq(inet_pton(AF_INET6, to, buf + 24), 1);
	} else {
		buf[0] = 0x45;
		bytes_store16(buf + 2, (uint16_t)len);
		buf[8] = 64;
		buf[9] = 17;
		ck_assert_int_eq(inet_pton(AF_INET, from, buf + 12), 1);
		ck_assert_int_eq(inet_pton(AF_INET, to, buf + 16), 1);
	}
	bytes_store16(udp, 4321);
	bytes_store16(udp + 2, 53);
	bytes_store16(udp + 4, (uint16_t)(len - (v6 ? 40 : 20)));
	buf[len - 1] = tag;
	return len;
}
