/* stat ROOT N SIZE: look at the status of N files. Prints CPU seconds. */

#include "floor.h"

int main(int count, char **args) {
    if (count != 4) return 2;
    int files = atoi(args[2]);
    off_t size = atol(args[3]);
    char path[LONGEST_PATH];
    struct stat found;
    double began = cpu(RUSAGE_SELF);
    for (int i = 0; i < files; i++) {
        path_of(path, args[1], i);
        if (lstat(path, &found) || found.st_size != size || (found.st_mode & 07777) != 0644)
            die(path);
    }
    printf("%.6f\n", cpu(RUSAGE_SELF) - began);
}
