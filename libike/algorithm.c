/* The built-in algorithms, and looking one up by its IANA id. */
#include "libike/crypto.h"

const struct ike_algorithms ike_builtin_algorithms = { NULL, ike_prfs, ike_kexs };

static const struct ike_algorithms *
or_builtin(const struct ike_algorithms *algorithms)
{
	return algorithms != NULL ? algorithms : &ike_builtin_algorithms;
}

const struct ike_prf *
ike_find_prf(const struct ike_algorithms *algorithms, uint16_t id)
{
	const struct ike_prf *const *row = or_builtin(algorithms)->prfs;

	while (*row != NULL && (*row)->id != id)
		row++;
	return *row;
}

const struct ike_kex *
ike_find_kex(const struct ike_algorithms *algorithms, uint16_t id)
{
	const struct ike_kex *const *row = or_builtin(algorithms)->kexs;

	while (*row != NULL && (*row)->id != id)
		row++;
	return *row;
}

const struct esp_transform *
ike_find_cipher(const struct ike_algorithms *algorithms, uint16_t encr, uint16_t key_bits,
    uint16_t integ)
{
	const struct esp_transform *const *row = or_builtin(algorithms)->ciphers;

	if (row == NULL)
		return esp_transform_find_single(encr, key_bits, integ);
	while (*row != NULL && ((*row)->encr != encr || (*row)->key_bits != key_bits ||
	    (*row)->integ != integ))
		row++;
	return *row;
}
