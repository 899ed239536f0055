#include "tests/unit/sums.h"

unsigned
sum_transport_at(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? (packet[0] & 0xfU) * 4 : 40;
}

static uint32_t
add(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

uint16_t
sum_transport(const uint8_t *packet, uint32_t len, unsigned at, const uint8_t *source,
    const uint8_t *destination)
{
	bool v4 = packet[0] >> 4 == 4;
	unsigned begin = sum_transport_at(packet), address = v4 ? 4 : 16;
	const uint8_t protocol[] = { 0, packet[v4 ? 9 : 6] };
	uint32_t sum = len - begin;

	sum = add(sum, source != NULL ? source : packet + (v4 ? 12 : 8), address);
	sum = add(sum, destination != NULL ? destination : packet + (v4 ? 16 : 24),
	    address);
	sum = add(sum, protocol, sizeof(protocol));
	sum = add(sum, packet + begin, at);
	sum = add(sum, packet + begin + at + 2, len - begin - at - 2);
	return (uint16_t)~sum;
}
