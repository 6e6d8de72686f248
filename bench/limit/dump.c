/*
 * The kernel's limit for reading routes: dumps the routes of the main table, filtered by the kernel, and
 * only counts the messages. Frames are 32 KiB, the largest that the kernel makes.
 *
 *   dump 4|6     prints {"routes":N,"seconds":S,"cpu":S}
 */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { BUFFER_BYTES = 4 << 20 };

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  static char buffer[65536];
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) die("socket");
  int on = 1, size = BUFFER_BYTES;
  if (setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on) < 0) die("strict checking");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  struct timeval limit = {.tv_sec = 30};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);

  /* The kernel makes frames as large as the largest read it has seen: one read of an answer comes first. */
  struct nlmsghdr hello = {
      .nlmsg_len = sizeof hello, .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
  if (send(fd, &hello, sizeof hello, 0) < 0 || recv(fd, buffer, sizeof buffer, 0) < 0) die("first read");

  struct {
    struct nlmsghdr header;
    struct rtmsg route;
    struct rtattr table_head;
    uint32_t table;
  } request = {
      .header = {.nlmsg_len = sizeof request,
                 .nlmsg_type = RTM_GETROUTE,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                 .nlmsg_seq = 1},
      .route = {.rtm_family = argv[1][0] == '6' ? AF_INET6 : AF_INET},
      .table_head = {.rta_len = 8, .rta_type = RTA_TABLE},
      .table = RT_TABLE_MAIN,
  };
  size_t routes = 0;
  double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  if (send(fd, &request, sizeof request, 0) < 0) die("send");
  for (;;) {
    ssize_t received = recv(fd, buffer, sizeof buffer, 0);
    if (received < 0) die("recv");
    int left = (int)received;
    for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
      if (h->nlmsg_flags & NLM_F_DUMP_INTR || h->nlmsg_type == NLMSG_ERROR) return 3;
      if (h->nlmsg_type == RTM_NEWROUTE) routes++;
      if (h->nlmsg_type == NLMSG_DONE) {
        printf("{\"routes\":%zu,\"seconds\":%.6f,\"cpu\":%.6f}\n", routes, seconds(CLOCK_MONOTONIC) - start,
               seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
        return 0;
      }
    }
  }
}
