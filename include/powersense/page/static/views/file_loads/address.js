// The first part of this view's addresses: `#/file-loads/…`.

export const VIEW = "file-loads";
