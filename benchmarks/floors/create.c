/* create ROOT N SIZE: make N files in directories that are there. Prints CPU seconds. */

#include "floor.h"

int main(int count, char **args) {
    if (count != 4) return 2;
    int files = atoi(args[2]);
    size_t size = atol(args[3]);
    char path[LONGEST_PATH], *content = wanted(size);
    double began = cpu(RUSAGE_SELF);
    for (int i = 0; i < files; i++) {
        path_of(path, args[1], i);
        replace(path, content, size);
    }
    printf("%.6f\n", cpu(RUSAGE_SELF) - began);
}
