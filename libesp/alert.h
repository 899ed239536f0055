/* Notices that wait for the caller.  Each SA and policy carries its own place in the
 * queue and a bit for each kind, so that raising one takes no memory and raising it
 * twice is one notice. */
#ifndef LIBESP_ALERT_H
#define LIBESP_ALERT_H

#include <sys/queue.h>

#include "libesp/esp.h"

struct esp_alert {
	STAILQ_ENTRY(esp_alert) next;
	uint8_t pending;		/* bits by enum esp_notice_type; 0: not in the
					 * queue */
	bool of_policy;			/* whose it is: a policy's, or an SA's */
};

STAILQ_HEAD(esp_alerts, esp_alert);

static inline void
esp_alert_raise(struct esp_alerts *alerts, struct esp_alert *a, enum esp_notice_type type)
{
	if (a->pending == 0)
		STAILQ_INSERT_TAIL(alerts, a, next);
	a->pending |= (uint8_t)(1u << type);
}

/* Before the owner of `a` is freed.  Few wait at a time. */
static inline void
esp_alert_drop(struct esp_alerts *alerts, struct esp_alert *a)
{
	if (a->pending != 0)
		STAILQ_REMOVE(alerts, a, esp_alert, next);
	a->pending = 0;
}

#endif
