/*
 * The far end of a benchmark, in a process of its own. It prints a line when it listens, serves the one client that
 * connects, and ends when that has left; before, when its standard input ends.
 *
 * Usage: peer replies|events SOCKET
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int accept_one(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0) {
    perror(path);
    return -1;
  }
  puts("ready");
  fflush(stdout);
  struct pollfd waits[2] = {{listener, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  poll(waits, 2, -1);
  return waits[0].revents != 0 ? accept(listener, NULL, NULL) : -1;
}

/* As a server of registers: a header of 16 bytes, and with a reply as much again and the 32 bits that were read. */
static void reply(int client) {
  char request[32], answer[36] = {0};
  while (recv(client, request, sizeof request, MSG_WAITALL) == sizeof request) {
    memcpy(answer, request, sizeof request);
    if (send(client, answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer) return;
  }
}

/* As a device: when it is told to by the one eventfd, it signals an interrupt by the other. */
static void interrupt(int client) {
  char byte;
  struct iovec data = {&byte, 1};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(2 * sizeof(int))];
  } control = {0};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  int events[2];
  if (recvmsg(client, &message, MSG_CMSG_CLOEXEC) != 1 ||
      control.header.cmsg_len != CMSG_LEN(sizeof events))
    return;
  memcpy(events, CMSG_DATA(&control.header), sizeof events);
  uint64_t one = 1, count;
  struct pollfd waits[2] = {{events[1], POLLIN, 0}, {client, POLLIN, 0}};
  while (ppoll(waits, 2, NULL, NULL) > 0 && waits[1].revents == 0) {
    if (read(events[1], &count, sizeof count) == sizeof count) write(events[0], &one, sizeof one);
  }
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  int client = accept_one(arguments[2]);
  if (client < 0) return 1;
  if (strcmp(arguments[1], "replies") == 0) reply(client);
  else interrupt(client);
  return 0;
}
