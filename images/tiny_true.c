/* /bin/true of the tiny image: static, so that what a sandbox costs can be told from what a libc's start costs. */
int main(void)
{
	return 0;
}
