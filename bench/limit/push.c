/*
 * The kernel's limit for writing routes: sends the routes of a file ("prefix/length gateway" a line, one family) to the
 * main table in batches, with an acknowledgement asked for on the last message of each batch only. Nothing is
 * decided or remembered, so nobody can be faster over one netlink socket.
 *
 *   push FILE IFINDEX BATCH METRIC
 *        prints {"routes":N,"errors":N,"seconds":S,"cpu":S}; reading FILE is not in the seconds
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

enum { PROTOCOL = 99, BUFFER_BYTES = 32 << 20, LONGEST_MESSAGE = 128 };

struct route {
  uint8_t prefix[16], gateway[16];
  uint8_t length;
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

static struct route *read_routes(const char *path, size_t *count, int *family) {
  FILE *file = fopen(path, "r");
  if (file == NULL) die(path);
  size_t room = 1024;
  struct route *routes = malloc(room * sizeof *routes);
  char prefix[40], gateway[40];
  unsigned length;
  *count = 0;
  while (fscanf(file, "%39[0-9a-f.:]/%u %39[0-9a-f.:] ", prefix, &length, gateway) == 3) {
    if (*count == room) routes = realloc(routes, (room *= 2) * sizeof *routes);
    if (routes == NULL) die("memory");
    *family = strchr(prefix, ':') == NULL ? AF_INET : AF_INET6;
    struct route *route = &routes[(*count)++];
    if (inet_pton(*family, prefix, route->prefix) != 1 || inet_pton(*family, gateway, route->gateway) != 1) exit(2);
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

static void put(struct nlmsghdr *message, unsigned short type, const void *value, unsigned short size) {
  struct rtattr *attribute = (struct rtattr *)((char *)message + message->nlmsg_len);
  attribute->rta_type = type;
  attribute->rta_len = (unsigned short)RTA_LENGTH(size);
  memcpy(RTA_DATA(attribute), value, size);
  message->nlmsg_len += RTA_SPACE(size);
}

static void put_word(struct nlmsghdr *message, unsigned short type, uint32_t value) {
  put(message, type, &value, sizeof value);
}

static struct nlmsghdr *fill(char *to, const struct route *from, int family, uint32_t device, uint32_t metric,
                             uint32_t sequence) {
  struct nlmsghdr *message = (struct nlmsghdr *)to;
  struct rtmsg *route = NLMSG_DATA(message);
  unsigned short size = family == AF_INET ? 4 : 16;
  memset(to, 0, NLMSG_LENGTH(sizeof *route));
  message->nlmsg_len = NLMSG_LENGTH(sizeof *route);
  message->nlmsg_type = RTM_NEWROUTE;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
  message->nlmsg_seq = sequence;
  route->rtm_family = (unsigned char)family;
  route->rtm_dst_len = from->length;
  route->rtm_table = RT_TABLE_MAIN;
  route->rtm_protocol = PROTOCOL;
  route->rtm_scope = RT_SCOPE_UNIVERSE;
  route->rtm_type = RTN_UNICAST;
  put_word(message, RTA_TABLE, RT_TABLE_MAIN);
  put(message, RTA_DST, from->prefix, size);
  put_word(message, RTA_PRIORITY, metric);
  put(message, RTA_GATEWAY, from->gateway, size);
  put_word(message, RTA_OIF, device);
  return message;
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
  if (argc != 5) return 2;
  size_t count, errors = 0;
  int family = AF_INET;
  struct route *routes = read_routes(argv[1], &count, &family);
  uint32_t device = (uint32_t)atoi(argv[2]), metric = (uint32_t)atoi(argv[4]);
  size_t batch = (size_t)atoi(argv[3]);
  char *buffer = malloc(batch * LONGEST_MESSAGE);
  if (buffer == NULL || batch == 0) return 2;
  int fd = open_socket();
  double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  for (size_t at = 0; at < count;) {
    size_t some = count - at < batch ? count - at : batch, length = 0;
    struct nlmsghdr *last = NULL;
    for (size_t i = 0; i < some; i++) {
      last = fill(buffer + length, &routes[at + i], family, device, metric, (uint32_t)(at + i + 1));
      length += last->nlmsg_len;
    }
    last->nlmsg_flags |= NLM_F_ACK;
    if (send(fd, buffer, length, 0) < 0) die("send");
    at += some;
    errors += await_answer(fd, (uint32_t)at);
  }
  printf("{\"routes\":%zu,\"errors\":%zu,\"seconds\":%.6f,\"cpu\":%.6f}\n", count, errors,
         seconds(CLOCK_MONOTONIC) - start, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  return 0;
}
