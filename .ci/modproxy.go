// Command modproxy lays out one version of a module as a file-system GOPROXY, so that a version nobody has published yet can be
// required. It reads the names of the module's files from standard input, each ended by a zero byte:
//
//	git ls-files -z | modproxy PROXY MODULE VERSION
//
// Files of modules nested in this one are left out, as the go command leaves them out; so its checksum is the published one's.
package main

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: modproxy PROXY MODULE VERSION <files")
		os.Exit(2)
	}
	if err := layOut(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "modproxy:", err)
		os.Exit(1)
	}
}

func layOut(proxy, module, version string) error {
	if module != strings.ToLower(module) {
		return fmt.Errorf("%q has upper-case letters, which a proxy escapes", module)
	}
	folder := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	files := ownFiles(strings.Split(strings.TrimSuffix(string(input), "\x00"), "\x00"))
	if err := writeZip(filepath.Join(folder, version+".zip"), module+"@"+version, files); err != nil {
		return err
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"list": []byte(version + "\n"), version + ".mod": mod, version + ".info": info} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// ownFiles drops the files that belong to nested modules.
func ownFiles(files []string) []string {
	nested := map[string]bool{}
	for _, file := range files {
		if path.Base(file) == "go.mod" && file != "go.mod" {
			nested[path.Dir(file)] = true
		}
	}
	var own []string
next:
	for _, file := range files {
		for folder := path.Dir(file); folder != "."; folder = path.Dir(folder) {
			if nested[folder] {
				continue next
			}
		}
		own = append(own, file)
	}
	return own
}

func writeZip(name, prefix string, files []string) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	archive := zip.NewWriter(out)
	for _, file := range files {
		about, err := os.Lstat(file)
		if err != nil {
			return err
		}
		if about.Mode().Type() != 0 { // a module holds regular files only
			if about.Mode().Type() == fs.ModeSymlink {
				continue
			}
			return fmt.Errorf("%s is not a regular file", file)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		entry, err := archive.Create(prefix + "/" + file)
		if err != nil {
			return err
		}
		if _, err := entry.Write(content); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return out.Close()
}
