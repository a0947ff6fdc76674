#include "agentd/api/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

void peer_name(const struct sockaddr_storage *address, char ret_name[static PEER_NAME_MAX])
{
	const struct sockaddr_in *v4 = (const void *)address;
	struct sockaddr_in6 v6;

	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, ret_name, PEER_NAME_MAX);
	} else if (address->ss_family == AF_INET6) {
		memcpy(&v6, address, sizeof(v6));
		if (!IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) && !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
			memset(&v6.sin6_addr.s6_addr[8], 0, 8);
		inet_ntop(AF_INET6, &v6.sin6_addr, ret_name, PEER_NAME_MAX);
	} else {
		strcpy(ret_name, "unix");
	}
}

bool peer_is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return address->ss_family == AF_INET6 &&
	       (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
		       (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127));
}
