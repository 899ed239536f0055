#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/ports.h"

void
free_ports(uint16_t v[2])
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t len = sizeof(any);
	int fd[2];

	for (int i = 0; i < 2; i++) {
		any.sin_port = 0;
		fd[i] = socket(AF_INET, SOCK_DGRAM, 0);
		ck_assert_int_ge(fd[i], 0);
		ck_assert_int_eq(bind(fd[i], (struct sockaddr *)&any, sizeof(any)), 0);
		ck_assert_int_eq(getsockname(fd[i], (struct sockaddr *)&any, &len), 0);
		v[i] = ntohs(any.sin_port);
	}
	close(fd[0]);
	close(fd[1]);
}
