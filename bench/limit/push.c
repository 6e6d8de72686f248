/*
 * The kernel's limit for writing routes: sends the routes of a file ("prefix/length gateway" a line) to the
 * main table in batches, with an acknowledgement asked for on the last message of each batch only. Nothing is
 * decided or remembered, so nobody can be faster over one netlink socket.
 *
 *   push FILE IFINDEX BATCH     prints {"routes":N,"errors":N,"seconds":S,"cpu":S}; reading FILE is not in the seconds
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PROTOCOL = 99, METRIC = 32, BUFFER_BYTES = 32 << 20 };

struct route {
  struct in_addr prefix, gateway;
  uint8_t length;
};

/* One whole message: every attribute here is four bytes, so a struct can describe it. */
struct word_attribute {
  struct rtattr head;
  uint32_t value;
};

struct message {
  struct nlmsghdr header;
  struct rtmsg route;
  struct word_attribute table, prefix, metric, gateway, device;
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct route *read_routes(const char *path, size_t *count) {
  FILE *file = fopen(path, "r");
  if (file == NULL) die(path);
  size_t room = 1024;
  struct route *routes = malloc(room * sizeof *routes);
  char prefix[16], gateway[16];
  unsigned length;
  *count = 0;
  while (fscanf(file, "%15[0-9.]/%u %15[0-9.] ", prefix, &length, gateway) == 3) {
    if (*count == room) routes = realloc(routes, (room *= 2) * sizeof *routes);
    if (routes == NULL) die("memory");
    struct route *route = &routes[(*count)++];
    if (inet_aton(prefix, &route->prefix) == 0 || inet_aton(gateway, &route->gateway) == 0) exit(2);
    route->length = (uint8_t)length;
  }
  fclose(file);
  return routes;
}

static int open_socket(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) die("socket");
  int on = 1, size = BUFFER_BYTES;
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  struct timeval limit = {.tv_sec = 30};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return fd;
}

static struct word_attribute word(unsigned short type, uint32_t value) {
  struct word_attribute attribute = {.head = {.rta_len = sizeof attribute, .rta_type = type}, .value = value};
  return attribute;
}

static void fill(struct message *to, const struct route *from, uint32_t device, uint32_t sequence) {
  memset(to, 0, sizeof *to);
  to->header.nlmsg_len = sizeof *to;
  to->header.nlmsg_type = RTM_NEWROUTE;
  to->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
  to->header.nlmsg_seq = sequence;
  to->route.rtm_family = AF_INET;
  to->route.rtm_dst_len = from->length;
  to->route.rtm_table = RT_TABLE_MAIN;
  to->route.rtm_protocol = PROTOCOL;
  to->route.rtm_scope = RT_SCOPE_UNIVERSE;
  to->route.rtm_type = RTN_UNICAST;
  to->table = word(RTA_TABLE, RT_TABLE_MAIN);
  to->prefix = word(RTA_DST, from->prefix.s_addr);
  to->metric = word(RTA_PRIORITY, METRIC);
  to->gateway = word(RTA_GATEWAY, from->gateway.s_addr);
  to->device = word(RTA_OIF, device);
}

/* Reads answers until the one to `sequence` came; returns how many were refusals. */
static size_t await_answer(int fd, uint32_t sequence) {
  static char buffer[65536];
  size_t errors = 0;
  for (;;) {
    ssize_t received = recv(fd, buffer, sizeof buffer, 0);
    if (received < 0) die("recv");
    int left = (int)received;
    for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
      if (h->nlmsg_type != NLMSG_ERROR) continue;
      if (((struct nlmsgerr *)NLMSG_DATA(h))->error != 0) errors++;
      if (h->nlmsg_seq == sequence) return errors;
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  size_t count, errors = 0;
  struct route *routes = read_routes(argv[1], &count);
  uint32_t device = (uint32_t)atoi(argv[2]);
  size_t batch = (size_t)atoi(argv[3]);
  struct message *messages = malloc(batch * sizeof *messages);
  if (messages == NULL || batch == 0) return 2;
  int fd = open_socket();
  double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  for (size_t at = 0; at < count;) {
    size_t some = count - at < batch ? count - at : batch;
    for (size_t i = 0; i < some; i++) fill(&messages[i], &routes[at + i], device, (uint32_t)(at + i + 1));
    messages[some - 1].header.nlmsg_flags |= NLM_F_ACK;
    if (send(fd, messages, some * sizeof *messages, 0) < 0) die("send");
    at += some;
    errors += await_answer(fd, (uint32_t)at);
  }
  printf("{\"routes\":%zu,\"errors\":%zu,\"seconds\":%.6f,\"cpu\":%.6f}\n", count, errors,
         seconds(CLOCK_MONOTONIC) - start, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  return 0;
}
