/* How a batch whose packets are of many SAs gets through memory that is not near.
 *
 * What a packet needs hangs together by pointers: a table's slot, the SA, its key, the
 * cipher's context.  Of 100,000 SAs hardly anything is in the processor's caches, and who
 * follows the pointers waits at each of them, several times as long as the cipher works.
 * So what is done to a batch is a row of stages: the last one does the work, and each
 * one before it asks (bytes_expect) for what the next one reads.  While one group of
 * packets is worked on, what the next groups need is on its way. */
#ifndef LIBESP_STAGE_H
#define LIBESP_STAGE_H

#include "libesp/esp.h"

enum {
	ESP_BATCH = 64,		/* packets of a slice, with places numbered from 0 */
	ESP_GROUP_MAX = 16
};

/* `n` packets, at least 1, the first one of which has place `at`. */
typedef void esp_stage(struct esp *, struct esp_packet *v, unsigned at, unsigned n);

/* A group has as many packets as the last stage must work on until what was asked for in
 * the one before has come. */
struct esp_stages {
	unsigned group, n;
	esp_stage *stage[8];
};

/* Each packet passes all stages in order, and each stage sees the packets in theirs. */
void esp_stages_run(const struct esp_stages *, struct esp *, struct esp_packet *v,
    unsigned n);

#endif
