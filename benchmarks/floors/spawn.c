/* spawn N ATONCE PROGRAM [ARG]...: run a program N times, at most ATONCE at once, with posix_spawn.
 * Prints CPU seconds, those of the children included, and wall seconds.
 */

#include "floor.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static void wait_for_one(void) {
    int status;
    if (wait(&status) < 0) die("wait");
    if (status) {
        fprintf(stderr, "a child ended with status %d\n", status);
        exit(1);
    }
}

int main(int count, char **args) {
    if (count < 4) return 2;
    int times = atoi(args[1]), at_once = atoi(args[2]), running = 0;
    double began = now(), own = cpu(RUSAGE_SELF);
    for (int i = 0; i < times; i++) {
        pid_t child;
        if (running == at_once) {
            wait_for_one();
            running--;
        }
        if (posix_spawn(&child, args[3], NULL, NULL, args + 3, environ)) die("posix_spawn");
        running++;
    }
    while (running--) wait_for_one();
    printf("%.6f %.6f\n", cpu(RUSAGE_SELF) - own + cpu(RUSAGE_CHILDREN), now() - began);
}
