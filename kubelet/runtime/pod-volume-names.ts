/** Volumes of a pod that are not in its manifest: no manifest can have such names. */
export const SHARED_MEMORY = '_shm';
/** A file for each container, in which it may say why it ends. */
export const TERMINATION = '_term';
