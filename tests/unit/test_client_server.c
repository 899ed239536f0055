/* A client and a server of one program each, from the handshake to the end. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/fake_port.h"
#include "tests/unit/run.h"
#include "tests/unit/tunnel.h"

START_TEST(client_server_handshake)
{
	struct tunnel t;
	struct tunnel_heard *c, *s;

	tunnel_open(&t, 1);
	c = &t.ends[0].heard;
	s = &t.heard;
	tunnel_await(&t, &s->events[IPSEC_EVENT_UP], 1);
	ck_assert_uint_eq(c->n_order, 2);
	ck_assert_int_eq(c->order[0], IPSEC_EVENT_CONNECTING);
	ck_assert_int_eq(c->order[1], IPSEC_EVENT_UP);
	ck_assert_uint_eq(s->n_order, 1);
	ck_assert_uint_eq(s->asked, 1);
	ck_assert_str_eq(c->said[IPSEC_EVENT_UP].peer_id, "server.example");
	ck_assert_str_eq(s->said[IPSEC_EVENT_UP].peer_id, "client.example");
	ck_assert_str_eq(c->said[IPSEC_EVENT_UP].peer_address, tunnel_address(&t));
	ck_assert(s->said[IPSEC_EVENT_UP].session == s->session);
	ck_assert(ipsec_session_is_up(s->session));
	ck_assert(ipsec_client_is_up(t.ends[0].client));
	tunnel_close(&t);
}
END_TEST

/* Both ways, every length, in batches of more than one call's worth; each octet as it
 * was. */
START_TEST(client_server_data_transfer)
{
	static uint8_t octets[200][1400];
	struct ipsec_packet v[200];
	struct tunnel t;
	struct ipsec_metrics m;
	uint64_t total = 0;

	tunnel_open(&t, 1);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_UP], 1);
	t.heard.echo = true;
	for (unsigned i = 0; i < 200; i++) {
		v[i].data = octets[i];
		v[i].len = tunnel_packet(octets[i], 48 + i * 6, true, (uint8_t)i);
		total += v[i].len;
	}
	ck_assert_uint_eq(ipsec_client_send_packets(t.ends[0].client, v, 200), 200);
	for (unsigned i = 0; i < 200; i++)
		ck_assert_int_eq(v[i].error, IPSEC_OK);
	tunnel_await_packets(&t, &t.ends[0].heard.packets, 200);
	ck_assert_uint_eq(t.heard.packets, 200);
	ck_assert_uint_eq(t.heard.octets, total);
	ck_assert_uint_eq(t.ends[0].heard.octets, total);
	ck_assert_uint_eq(t.ends[0].heard.last.len, v[199].len);
	ck_assert_mem_eq(t.ends[0].heard.last.data + 12, octets[199] + 16, 4);
	ck_assert_mem_eq(t.ends[0].heard.last.data + 20, octets[199] + 20, 44);
	ipsec_client_metrics(t.ends[0].client, &m);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(m.packets[i], 200);
		ck_assert_uint_eq(m.octets[i], total);
	}
	ck_assert_uint_eq(m.replayed + m.forged + m.selectors + m.overflow + m.unsent, 0);
	ck_assert_uint_eq(m.sessions, 1);
	ck_assert_int_gt(m.up_since, 0);
	tunnel_close(&t);
}
END_TEST

/* The client goes first; then the server, with nobody left: nothing stays. */
START_TEST(client_server_shutdown)
{
	unsigned before = tunnel_descriptors();
	struct tunnel_heard *c;
	struct tunnel t;

	tunnel_open(&t, 1);
	c = &t.ends[0].heard;
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_UP], 1);
	ipsec_client_shutdown(t.ends[0].client);
	ck_assert(!ipsec_client_is_shut_down(t.ends[0].client));
	tunnel_await(&t, &c->events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert_int_eq(c->said[IPSEC_EVENT_SHUT_DOWN].error, IPSEC_OK);
	ck_assert_uint_eq(c->events[IPSEC_EVENT_DOWN], 1);
	ck_assert_int_eq(c->said[IPSEC_EVENT_DOWN].error, IPSEC_CANCELLED);
	ck_assert(ipsec_client_is_shut_down(t.ends[0].client));
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_DOWN], 1);
	ck_assert_int_eq(t.heard.said[IPSEC_EVENT_DOWN].error, IPSEC_PEER_CLOSED);
	ck_assert_ptr_null(ipsec_server_next_session(t.server, NULL));
	ipsec_server_shutdown(t.server);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert(ipsec_server_is_shut_down(t.server));
	ck_assert_uint_eq(tunnel_descriptors(), before);
	tunnel_close(&t);
}
END_TEST

/* IPv6 outside, and both families inside where nothing else was said. */
START_TEST(client_server_over_ipv6)
{
	struct ipsec_builder *b[2] = { ipsec_builder_new(), ipsec_builder_new() };
	struct tunnel_end *end;
	struct tunnel t;
	uint8_t packet[100];
	char address[32];

	memset(&t, 0, sizeof(t));
	for (unsigned i = 0; i < 2; i++)
		ipsec_builder_set_psk(b[i], "secret", 6);
	ipsec_builder_set_local_id(b[0], "client@example.org");
	ipsec_builder_set_remote_id(b[0], "2001:db8::1");
	ipsec_builder_set_local_id(b[1], "2001:db8::1");
	tunnel_serve_at(&t, tunnel_server_config(b[1]), "[::1]:0");
	end = tunnel_add(&t, tunnel_client_config(b[0]), true);
	snprintf(address, sizeof(address), "[::1]:%u", ipsec_server_port(t.server));
	ck_assert_int_eq(ipsec_client_connect(end->client, address), IPSEC_OK);
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_UP], 1);
	ck_assert_str_eq(end->heard.said[IPSEC_EVENT_UP].peer_address, address);
	ck_assert_str_eq(t.heard.said[IPSEC_EVENT_UP].peer_id, "client@example.org");
	fake_packet(packet, "2001:db8:1::1", "2001:db8:2::2", 100, 1);
	ck_assert_int_eq(ipsec_client_send_packet(end->client, packet, 100), IPSEC_OK);
	fake_packet(packet, "192.0.2.1", "198.51.100.1", 100, 2);
	ck_assert_int_eq(ipsec_client_send_packet(end->client, packet, 100), IPSEC_OK);
	tunnel_await_packets(&t, &t.heard.packets, 2);
	fake_packet(packet, "2001:db8:2::2", "2001:db8:1::1", 100, 3);
	ck_assert_int_eq(ipsec_session_send_packet(t.heard.session, packet, 100),
	    IPSEC_OK);
	tunnel_await_packets(&t, &end->heard.packets, 1);
	tunnel_close(&t);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("client_server");

	tcase_add_test(t, client_server_handshake);
	tcase_add_test(t, client_server_data_transfer);
	tcase_add_test(t, client_server_shutdown);
	tcase_add_test(t, client_server_over_ipv6);
	tcase_set_timeout(t, 60);
	return run_tests("client_server", t);
}
