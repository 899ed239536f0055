/* The content of a secret's file. */
#include <sodium.h>
#include <string.h>

#include "daemon/secret.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_require(sodium_init() >= 0);
	fuzz_folder();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct faults faults = { 0 }, weak = { 0 };
	struct secret_folder *folder;
	struct bytes secret;
	bool good;

	fuzz_file("a.psk", bytes_of(data, size));
	folder = secret_folder_open(fuzz_folder(), &faults, &weak);
	fuzz_require(folder != NULL);
	good = secret_read(folder, "a", &secret);
	fuzz_require(good == !faults_any(&faults));
	fuzz_require(!good || (secret.len > 0 && secret.len <= SECRET_MAX));
	secret_folder_close(folder);
	faults_free(&faults);
	faults_free(&weak);
	return 0;
}
