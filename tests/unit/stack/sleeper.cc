// SPDX-License-Identifier: GPL-2.0-only
/* As sleeper.c, with names that are mangled. */
#include <poll.h>
#include <unistd.h>

namespace net {

template <typename T> struct Loop {
	T fd;

	__attribute__((noinline)) int wait(const char *)
	{
		struct pollfd entry = { fd, POLLIN, 0 };
		int n = poll(&entry, 1, -1);	/* line of poll */

		return n + 1;
	}
};

}

int main()
{
	int ends[2];

	if (pipe(ends))
		return 1;
	net::Loop<int> loop = { ends[0] };
	return loop.wait("") + 1;
}
