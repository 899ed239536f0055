#include "libesp/stage.h"

static void
run_slice(const struct esp_stages *all, struct esp *esp, struct esp_packet *v, unsigned n)
{
	unsigned groups = (n + all->group - 1) / all->group, at;

	for (unsigned step = 0; step < groups + all->n - 1; step++)
		for (unsigned s = all->n; s-- > 0;) {
			if (s > step || step - s >= groups)
				continue;
			at = (step - s) * all->group;
			all->stage[s](esp, v + at, at,
			    n - at < all->group ? n - at : all->group);
		}
}

void
esp_stages_run(const struct esp_stages *all, struct esp *esp, struct esp_packet *v,
    unsigned n)
{
	unsigned slice;

	for (; n > 0; n -= slice, v += slice) {
		slice = n < ESP_BATCH ? n : ESP_BATCH;
		run_slice(all, esp, v, slice);
	}
}
