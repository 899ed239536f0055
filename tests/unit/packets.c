#include "tests/unit/packets.h"

uint16_t
ipv4_checksum(const uint8_t *header)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < (header[0] & 0xfu) * 4; i += 2)
		sum += bytes_load16(header + i);
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~sum;
}

struct bytes
ipv4(
    uint8_t *p, uint8_t protocol, unsigned words, uint16_t fragment, struct bytes payload)
{
	unsigned header = words * 4;

	memset(p, 0, header);
	p[0] = (uint8_t)(0x40 | words);
	bytes_store16(p + 2, (uint16_t)(header + payload.len));
	bytes_store16(p + 6, fragment);
	p[9] = protocol;
	p[8] = 64;
	memcpy(p + 12, "\x0a\x01\x00\x05\x0a\x02\x00\x06", 8);
	bytes_store16(p + 10, ipv4_checksum(p));
	memcpy(p + header, payload.p, payload.len);
	return bytes_of(p, header + payload.len);
}

struct bytes
ipv6(uint8_t *p, uint8_t next, struct bytes payload)
{
	memset(p, 0, 40);
	p[0] = 0x60;
	bytes_store16(p + 4, (uint16_t)payload.len);
	p[6] = next;
	p[8] = 0x20, p[23] = 5;
	p[24] = 0x20, p[39] = 6;
	memcpy(p + 40, payload.p, payload.len);
	return bytes_of(p, 40 + payload.len);
}
