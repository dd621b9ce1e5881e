package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A pkiWish is one line of the standard input of `kube pki`: a key pair, and a
// certificate for it signed by the authority that the first wish makes.
type pkiWish struct {
	File   string   `json:"file"`
	Name   string   `json:"name"`
	Groups []string `json:"groups"`
	Hosts  []string `json:"hosts"`
}

// runPKI reads a list of wishes and writes FILE.crt and FILE.key for each into
// the folder. Keys are new every time: an instance never shares its authority.
func runPKI(folder string) error {
	var wishes []pkiWish
	if err := json.NewDecoder(os.Stdin).Decode(&wishes); err != nil {
		return fmt.Errorf("read the wishes: %w", err)
	}
	var authority *x509.Certificate
	var authorityKey crypto.Signer
	for index, wish := range wishes {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		template, err := certificateTemplate(wish, index == 0)
		if err != nil {
			return err
		}
		if index == 0 {
			authority, authorityKey = template, key
		}
		certificate, err := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), authorityKey)
		if err != nil {
			return err
		}
		if err := writePair(filepath.Join(folder, wish.File), certificate, key); err != nil {
			return err
		}
	}
	return nil
}

func certificateTemplate(wish pkiWish, isAuthority bool) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: wish.Name, Organization: wish.Groups},
		// An hour of slack, because clocks of virtual machines jump.
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if isAuthority {
		template.IsCA = true
		template.KeyUsage |= x509.KeyUsageCertSign
		template.ExtKeyUsage = nil
	}
	for _, host := range wish.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template, nil
}

func writePair(path string, certificate []byte, key *ecdsa.PrivateKey) error {
	keyBytes, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(path+".crt", "CERTIFICATE", certificate, 0o644); err != nil {
		return err
	}
	return writePEM(path+".key", "EC PRIVATE KEY", keyBytes, 0o600)
}

func writePEM(path, kind string, content []byte, mode os.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), mode)
}
