/* Pings, which the tunnels of these examples carry: IPv4 and ICMP, RFC 791 and 792. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* An echo request from 10.9.0.1 to 10.8.0.1. */
static const uint8_t ping[28] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0x66, 0xcf,
    10, 9, 0, 1, 10, 8, 0, 1, 8, 0, 0xf7, 0xff };

static inline bool
is_answer(const uint8_t *p, size_t len)
{
	return len == sizeof(ping) && p[0] == 0x45 && p[9] == 1 && p[20] == 0;
}

/* Makes the answer to an echo request of any length; false: this is none. */
static inline bool
make_answer(uint8_t *answer, size_t room, const uint8_t *p, size_t len)
{
	unsigned sum;

	if (len < sizeof(ping) || len > room || p[0] != 0x45 || p[9] != 1 || p[20] != 8)
		return false;
	memcpy(answer, p, len);
	memcpy(answer + 12, p + 16, 4);
	memcpy(answer + 16, p + 12, 4);
	answer[20] = 0;
	sum = 0x800 + p[22] * 0x100U + p[23];	/* in ones' complement */
	sum += sum >> 16;
	answer[22] = (uint8_t)(sum >> 8);
	answer[23] = (uint8_t)sum;
	return true;
}
